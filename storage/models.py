"""The registry of language models, and the one pointer that says which of them answers."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, update

from domain.errors import Conflict, ModelNotFound
from domain.models import SHIPPED_MODEL_ID, ModelRecord
from storage.live_pointer import LivePointer
from storage.rows import to_model
from storage.tables import live_model, models
from storage.transactions import database_time, reading, upsert, writing

_POINTER = LivePointer("model", models, models.c.model_id, live_model)


class ModelStore:
    """As ``GenerationStore``, but something always is live: the shipped model is entered with the schema and stays."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, record: ModelRecord) -> None:
        """Enter a published folder; ``is_live`` and ``promoted_at`` are ignored. Repeating it is harmless.

        Raises:
            Conflict: another folder was registered under this id.
        """
        row = {
            "model_id": record.model_id,
            "manifest_sha256": record.manifest_sha256,
            "base_model": record.base_model,
            "recipe": record.recipe,
            "recipe_sha256": record.recipe_sha256,
            "gate": dict(record.gate),
            "created_at": record.created_at,
        }
        with writing(self._engine) as connection:
            connection.execute(upsert(connection, models).values(**row).on_conflict_do_nothing())
            if _read(connection, record.model_id).manifest_sha256 != record.manifest_sha256:
                raise Conflict(
                    f"Model {record.model_id} is registered with another manifest.",
                    "Publish again; every publication has an id of its own.",
                )

    def list_models(self) -> list[ModelRecord]:
        """Newest first, at most ``live_pointer.MAX_LISTED``."""
        with reading(self._engine) as connection:
            return [to_model(row) for row in _POINTER.newest(connection)]

    def get(self, model_id: str) -> ModelRecord:
        """
        Raises:
            ModelNotFound
        """
        with reading(self._engine) as connection:
            return _read(connection, model_id)

    def live(self) -> ModelRecord:
        """The one that answers."""
        with reading(self._engine) as connection:
            row = _POINTER.pointed_at(connection, "live_id")
            assert row is not None, "the pointer's row and its target come with the schema"
            return to_model(row)

    def previous(self) -> ModelRecord | None:
        """The one that was live before; None if there was none or it was forgotten."""
        with reading(self._engine) as connection:
            row = _POINTER.pointed_at(connection, "previous_id")
            return None if row is None else to_model(row)

    def promote(self, model_id: str, *, expected_live: str) -> ModelRecord:
        """Make it live if ``expected_live`` still is. Promoting the live one changes nothing.

        Raises:
            ModelNotFound
            PromotionConflict: another model is live than the caller compared with.
        """
        with writing(self._engine) as connection:
            was_live = _read(connection, model_id).is_live
            _POINTER.move(connection, model_id, expected_live)
            if not was_live:
                now = database_time(connection)
                connection.execute(update(models).where(models.c.model_id == model_id).values(promoted_at=now))
            return _read(connection, model_id)

    def forget(self, model_id: str) -> None:
        """Remove it from the registry, after or before its folder goes; an unknown id is fine.

        Raises:
            Conflict: it is the live one, or the shipped one.
        """
        if model_id == SHIPPED_MODEL_ID:
            raise Conflict(f"Model {model_id} ships with Answerdesk and stays.", "Promote another one to replace it.")
        with writing(self._engine) as connection:
            _POINTER.forget(connection, model_id)


def _read(connection: Connection, model_id: str) -> ModelRecord:
    row = _POINTER.entry(connection, model_id)
    if row is None:
        raise ModelNotFound(f"There is no model {model_id}.", "List the models to see their ids.")
    return to_model(row)
