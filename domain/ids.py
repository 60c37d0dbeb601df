"""Identifiers: UUIDv7 for things that happen, content hashes for things that are."""

from __future__ import annotations

import hashlib

import uuid_utils


def new_id() -> str:
    """A UUIDv7 string: unique, and sorted by time, so a primary key index grows at its end."""
    return str(uuid_utils.uuid7())


def sha256_hex(data: bytes | str) -> str:
    return hashlib.sha256(data.encode("utf-8") if isinstance(data, str) else data).hexdigest()


def passage_id(document_id: str, text: str, occurrence: int) -> str:
    """The same text in the same document keeps its id wherever it moves; ``occurrence`` counts repeats from 0."""
    return sha256_hex(f"{document_id}\x1f{occurrence}\x1f{text}")[:32]
