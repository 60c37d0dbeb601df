"""Index generations, and what changed in the database since one was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.documents import StoredPassage


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """A published generation folder as the database knows it. ``revision`` is the database's when the build began.

    ``manifest_sha256`` pins the folder's manifest, which in turn pins every file. ``gate`` holds the gate's figures.
    """

    generation_id: str
    revision: int
    manifest_sha256: str
    embedder_fingerprint: str
    passage_count: int
    gate: Mapping[str, Any]
    created_at: datetime
    is_live: bool


@dataclass(frozen=True, slots=True)
class PassageChanges:
    """Everything between two revisions: passages to add (new, or with a new heading) and ids that no longer live."""

    revision: int
    added: tuple[StoredPassage, ...]
    removed: frozenset[str]
