"""Statements on the ledger of documents, each inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from domain.documents import Document, DocumentStatus, DocumentVersion
from domain.errors import DocumentNotFound, DocumentNotReady
from domain.ids import new_id
from domain.jobs import Job, JobKind
from storage.jobs import insert_job
from storage.leases import cancel_ingest_jobs, set_document_status
from storage.passages import bury_passages, purge_vectors
from storage.rows import to_document, to_version
from storage.tables import document_versions, documents, jobs, passages
from storage.transactions import bump_revision, chunked, database_time

LIVING = documents.c.status != DocumentStatus.DELETED


def read_document(connection: Connection, document_id: str) -> Document:
    row = connection.execute(select(documents).where(documents.c.document_id == document_id)).mappings().first()
    if row is None:
        raise DocumentNotFound(f"There is no document {document_id}.", "List the documents to see their ids.")
    return to_document(row)


def find_source(connection: Connection, collection: str, source: str) -> Document | None:
    query = select(documents).where(documents.c.collection == collection, documents.c.source == source, LIVING)
    row = connection.execute(query).mappings().first()
    return None if row is None else to_document(row)


def filtered(query: Select[Any], collection: str | None, status: DocumentStatus | None) -> Select[Any]:
    query = query.where(LIVING if status is None else documents.c.status == status)
    return query if collection is None else query.where(documents.c.collection == collection)


def insert_document(connection: Connection, values: Mapping[str, Any]) -> str:
    document_id = new_id()
    now = database_time(connection)
    fixed = {"document_id": document_id, "version": 1, "status": DocumentStatus.QUEUED, "passage_count": 0}
    connection.execute(insert(documents).values(**values, **fixed, created_at=now, updated_at=now))
    return document_id


def queue_ingest(connection: Connection, document_id: str) -> tuple[Document, Job]:
    set_document_status(connection, document_id, DocumentStatus.QUEUED, database_time(connection))
    document = read_document(connection, document_id)
    job = insert_job(connection, JobKind.INGEST, {"document_id": document_id, "version": document.version})
    return document, job


def read_version(connection: Connection, document_id: str, version: int | None) -> DocumentVersion:
    document = read_document(connection, document_id)
    live = select(documents.c.live_version).where(documents.c.document_id == document_id)
    wanted = connection.execute(live).scalar_one() if version is None else version
    if wanted is None and document.status is not DocumentStatus.DELETED:
        raise DocumentNotReady(
            f"Document {document_id} is {document.status} and has no text yet.", "Wait until it is ready."
        )
    query = select(document_versions).where(
        document_versions.c.document_id == document_id, document_versions.c.version == wanted
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise DocumentNotFound(
            f"Document {document_id} has no stored text of version {wanted or document.version}.",
            "It was deleted or never became ready.",
        )
    return to_version(row)


def delete_documents(connection: Connection, ids: Sequence[str]) -> None:
    """Purge what the documents said; their rows stay in the ledger. The caller holds the write lock."""
    revision = bump_revision(connection)
    now = database_time(connection)
    gone = {"status": DocumentStatus.DELETED, "reason": None, "live_version": None, "passage_count": 0}
    for some in chunked(ids):
        cancel_ingest_jobs(connection, jobs.c.document_id.in_(some), "The document was deleted.")
        purge_vectors(connection, some)
        doomed = select(passages.c.passage_id).where(passages.c.document_id.in_(some))
        bury_passages(connection, list(connection.execute(doomed).scalars()), revision)
        connection.execute(delete(document_versions).where(document_versions.c.document_id.in_(some)))
        connection.execute(update(documents).where(documents.c.document_id.in_(some)).values(**gone, updated_at=now))
