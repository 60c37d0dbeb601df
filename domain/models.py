"""Language models as the registry knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SHIPPED_MODEL_ID = "answerdesk-gpt2"  # the registry's first entry: what answers until another model is promoted


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A published model folder as the database knows it.

    ``manifest_sha256`` pins the folder's manifest, which in turn pins every file; it is None for the shipped model,
    which is part of the installation and not of the registry's folder. ``base_model`` is the id that training started
    from, ``recipe`` and ``recipe_sha256`` say how it was trained, ``gate`` holds the gate's figures and its verdict.
    """

    model_id: str
    created_at: datetime
    manifest_sha256: str | None
    base_model: str | None
    recipe: str | None
    recipe_sha256: str | None
    gate: Mapping[str, Any]
    is_live: bool
    promoted_at: datetime | None

    @property
    def is_shipped(self) -> bool:
        return self.model_id == SHIPPED_MODEL_ID

    @property
    def passed_gate(self) -> bool:
        """The shipped model needs no gate; one that was never measured has not passed it."""
        return self.is_shipped or self.gate.get("passed") is True
