"""The registry of index generations, and the one pointer that says which of them answers."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from domain.errors import Conflict, GenerationNotFound
from domain.indexing import GenerationRecord
from storage.live_pointer import LivePointer
from storage.rows import to_generation
from storage.tables import generations, live_generation
from storage.transactions import reading, upsert, writing

_POINTER = LivePointer("generation", generations, generations.c.generation_id, live_generation)


class GenerationStore:
    """Promotion is a compare-and-set on a single row, so rolling back is the same step as going forward."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, record: GenerationRecord) -> None:
        """Enter a published folder; it is not live by that (``is_live`` is ignored). Repeating it is harmless.

        Raises:
            Conflict: another folder was registered under this id.
        """
        row = {
            "generation_id": record.generation_id,
            "revision": record.revision,
            "manifest_sha256": record.manifest_sha256,
            "embedder_fingerprint": record.embedder_fingerprint,
            "passage_count": record.passage_count,
            "gate": dict(record.gate),
            "created_at": record.created_at,
        }
        with writing(self._engine) as connection:
            connection.execute(upsert(connection, generations).values(**row).on_conflict_do_nothing())
            if _read(connection, record.generation_id).manifest_sha256 != record.manifest_sha256:
                raise Conflict(
                    f"Generation {record.generation_id} is registered with another manifest.",
                    "Build again; every build has an id of its own.",
                )

    def list_generations(self) -> list[GenerationRecord]:
        """Newest first, at most ``live_pointer.MAX_LISTED``."""
        with reading(self._engine) as connection:
            return [to_generation(row) for row in _POINTER.newest(connection)]

    def get(self, generation_id: str) -> GenerationRecord:
        """
        Raises:
            GenerationNotFound
        """
        with reading(self._engine) as connection:
            return _read(connection, generation_id)

    def live(self) -> GenerationRecord | None:
        """The one that answers; None before the first promotion."""
        with reading(self._engine) as connection:
            row = _POINTER.pointed_at(connection, "live_id")
            return None if row is None else to_generation(row)

    def previous(self) -> GenerationRecord | None:
        """The one that was live before; None if there was none or it was forgotten."""
        with reading(self._engine) as connection:
            row = _POINTER.pointed_at(connection, "previous_id")
            return None if row is None else to_generation(row)

    def promote(self, generation_id: str, *, expected_live: str | None) -> GenerationRecord:
        """Make it live if ``expected_live`` (None: nothing) still is. Promoting the live one changes nothing.

        Raises:
            GenerationNotFound
            PromotionConflict: another generation is live than the caller compared with.
        """
        with writing(self._engine) as connection:
            _read(connection, generation_id)
            _POINTER.move(connection, generation_id, expected_live)
            return _read(connection, generation_id)

    def forget(self, generation_id: str) -> None:
        """Remove it from the registry, after or before its folder goes; an unknown id is fine.

        Raises:
            Conflict: it is the live one.
        """
        with writing(self._engine) as connection:
            _POINTER.forget(connection, generation_id)


def _read(connection: Connection, generation_id: str) -> GenerationRecord:
    row = _POINTER.entry(connection, generation_id)
    if row is None:
        raise GenerationNotFound(f"There is no generation {generation_id}.", "List the generations to see their ids.")
    return to_generation(row)
