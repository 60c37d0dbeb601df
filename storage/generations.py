"""The registry of index generations, and the one pointer that says which of them answers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, Select, case, delete, func, select, update

from domain.errors import Conflict, GenerationNotFound, PromotionConflict
from domain.indexing import GenerationRecord
from storage.rows import to_generation
from storage.tables import generations, live_generation
from storage.transactions import reading, upsert, writing

MAX_LISTED = 1000


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
        """Newest first, at most ``MAX_LISTED``."""
        query = _records().order_by(generations.c.created_at.desc(), generations.c.generation_id.desc())
        with reading(self._engine) as connection:
            return [to_generation(row) for row in connection.execute(query.limit(MAX_LISTED)).mappings()]

    def get(self, generation_id: str) -> GenerationRecord:
        """
        Raises:
            GenerationNotFound
        """
        with reading(self._engine) as connection:
            return _read(connection, generation_id)

    def live(self) -> GenerationRecord | None:
        """The one that answers; None before the first promotion."""
        return self._pointed_at("live_id")

    def previous(self) -> GenerationRecord | None:
        """The one that was live before; None if there was none or it was forgotten."""
        return self._pointed_at("previous_id")

    def promote(self, generation_id: str, *, expected_live: str | None) -> GenerationRecord:
        """Make it live if ``expected_live`` (None: nothing) still is. Promoting the live one changes nothing.

        Raises:
            GenerationNotFound
            PromotionConflict: another generation is live than the caller compared with.
        """
        with writing(self._engine) as connection:
            _read(connection, generation_id)
            swapped = connection.execute(
                update(live_generation)
                .where(live_generation.c.live_id.is_not_distinct_from(expected_live))
                .values(live_id=generation_id, previous_id=_previous_unless_same(generation_id))
            )
            if swapped.rowcount == 0:
                actual = connection.execute(select(live_generation.c.live_id)).scalar_one()
                raise PromotionConflict(
                    f"Expected {expected_live or 'no generation'} to be live, but {actual or 'none'} is.",
                    "Compare with the live one and decide again.",
                )
            return _read(connection, generation_id)

    def forget(self, generation_id: str) -> None:
        """Remove it from the registry, after or before its folder goes; an unknown id is fine.

        Raises:
            Conflict: it is the live one.
        """
        with writing(self._engine) as connection:
            live_id = connection.execute(select(live_generation.c.live_id).with_for_update()).scalar_one()
            if live_id == generation_id:
                raise Conflict(f"Generation {generation_id} is live.", "Promote another one first.")
            unpoint = update(live_generation).where(live_generation.c.previous_id == generation_id)
            connection.execute(unpoint.values(previous_id=None))
            connection.execute(delete(generations).where(generations.c.generation_id == generation_id))

    def _pointed_at(self, pointer: str) -> GenerationRecord | None:
        query = _records().where(generations.c.generation_id == live_generation.c[pointer])
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else to_generation(row)


def _records() -> Select[Any]:
    """Joined with the pointer's one row, which the first migration puts there."""
    is_live = func.coalesce(live_generation.c.live_id == generations.c.generation_id, False)
    with_pointer = generations.join(live_generation, live_generation.c.only_row)
    return select(generations, is_live.label("is_live")).select_from(with_pointer)


def _read(connection: Connection, generation_id: str) -> GenerationRecord:
    row = connection.execute(_records().where(generations.c.generation_id == generation_id)).mappings().first()
    if row is None:
        raise GenerationNotFound(f"There is no generation {generation_id}.", "List the generations to see their ids.")
    return to_generation(row)


def _previous_unless_same(generation_id: str) -> Any:
    same = live_generation.c.live_id.is_not_distinct_from(generation_id)
    return case((same, live_generation.c.previous_id), else_=live_generation.c.live_id)
