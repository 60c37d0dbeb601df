"""Documents that were cut into passages by an older program: which they are, and how they are renewed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Select, func, select, update

from domain.documents import PASSAGE_FORMAT, DocumentStatus
from storage.ledger import queue_ingest
from storage.tables import document_versions, documents
from storage.transactions import reading, take_write_lock, writing


class StaleDocuments:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count(self) -> int:
        with reading(self._engine) as connection:
            return int(connection.execute(select(func.count()).select_from(_stale().subquery())).scalar_one())

    def renew(self) -> int:
        """Queue a new version of each, from the bytes that were uploaded; returns how many. The old passages go on
        answering until the new ones are ready, document by document. One that fails is not queued again."""
        with writing(self._engine) as connection:
            take_write_lock(connection)
            ids = list(connection.execute(_stale()).scalars())
            for document_id in ids:
                newer = update(documents).where(documents.c.document_id == document_id)
                connection.execute(newer.values(version=documents.c.version + 1))
                queue_ingest(connection, document_id)
            return len(ids)


def _stale() -> Select[Any]:
    return (
        select(documents.c.document_id)
        .join(
            document_versions,
            (document_versions.c.document_id == documents.c.document_id)
            & (document_versions.c.version == documents.c.live_version),
        )
        .where(documents.c.status == DocumentStatus.READY, document_versions.c.passage_format < PASSAGE_FORMAT)
        .order_by(documents.c.created_at)
    )
