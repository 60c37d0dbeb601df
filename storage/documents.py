"""The ledger of documents, their versions and their live passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, func, select, update

from domain.documents import Document, DocumentStatus, DocumentVersion, DuplicatePolicy, Passage, StoredPassage
from domain.errors import Conflict, DuplicateDocument, LeaseLost
from domain.indexing import PassageChanges
from domain.jobs import Job, JobStatus
from storage.ingestion import IngestedVersion, check_passages, write_ingested
from storage.leases import cancel_ingest_jobs, check_fence, finish_job, set_document_status
from storage.ledger import (
    LIVING,
    delete_documents,
    filtered,
    find_source,
    insert_document,
    queue_ingest,
    read_document,
    read_version,
)
from storage.passages import count_live, fetch_stored, read_batch, read_changes, read_passages, read_revision
from storage.rows import to_document
from storage.tables import documents, jobs
from storage.transactions import database_time, reading, take_write_lock, writing

MAX_LISTED = 1000


class DocumentStore:
    """Each public method is one transaction; what a worker writes is checked against its job's fence inside it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # Uploads

    def accept_upload(
        self,
        *,
        collection: str,
        source: str,
        title: str,
        media_type: str,
        size_bytes: int,
        sha256: str,
        policy: DuplicatePolicy = DuplicatePolicy.REPLACE,
    ) -> tuple[Document, Job | None]:
        """Enter an upload whose bytes are in the blob store; the job's payload is ``{"document_id", "version"}``.

        The same name in the same collection is the same document. Identical bytes that did not fail return it with no
        job; other bytes queue a new version and end the job of an unfinished one, while the old passages go on
        answering until the new version is ready.

        Raises:
            DuplicateDocument: the name is taken and ``policy`` is FAIL.
        """
        facts = {"title": title, "media_type": media_type, "size_bytes": size_bytes, "sha256": sha256}
        with writing(self._engine) as connection:
            take_write_lock(connection)
            existing = find_source(connection, collection, source)
            if existing is None:
                document_id = insert_document(connection, {"collection": collection, "source": source} | facts)
                return queue_ingest(connection, document_id)
            if policy is DuplicatePolicy.FAIL:
                raise DuplicateDocument(
                    f"Collection {collection!r} holds {source!r} already, as version {existing.version}.",
                    "Delete it first, give the file another name, or let the upload replace it.",
                )
            if existing.sha256 == sha256 and existing.status is not DocumentStatus.FAILED:
                return existing, None
            newer = jobs.c.document_id == existing.document_id
            cancel_ingest_jobs(connection, newer, "A newer version of the document was uploaded.")
            values = facts | {"version": existing.version + 1}
            connection.execute(
                update(documents).where(documents.c.document_id == existing.document_id).values(**values)
            )
            return queue_ingest(connection, existing.document_id)

    def retry(self, document_id: str) -> tuple[Document, Job]:
        """Queue a failed document's newest version again.

        Raises:
            DocumentNotFound, Conflict: it has not failed.
        """
        with writing(self._engine) as connection:
            take_write_lock(connection)
            document = read_document(connection, document_id)
            if document.status is not DocumentStatus.FAILED:
                raise Conflict(
                    f"Document {document_id} is {document.status}; only a failed one can be retried.",
                    "Upload the file again if it changed.",
                )
            return queue_ingest(connection, document_id)

    # The ledger

    def get(self, document_id: str) -> Document:
        """A deleted document is still in the ledger.

        Raises:
            DocumentNotFound
        """
        with reading(self._engine) as connection:
            return read_document(connection, document_id)

    def get_by_source(self, collection: str, source: str) -> Document | None:
        """The living document of that file name."""
        with reading(self._engine) as connection:
            return find_source(connection, collection, source)

    def list_documents(
        self,
        *,
        collection: str | None = None,
        status: DocumentStatus | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[Document]:
        """Newest first, at most ``MAX_LISTED``; deleted ones only if ``status`` asks for them."""
        query = filtered(select(documents), collection, status)
        query = query.order_by(documents.c.created_at.desc(), documents.c.document_id.desc())
        with reading(self._engine) as connection:
            rows = connection.execute(query.limit(min(limit, MAX_LISTED)).offset(offset)).mappings()
            return [to_document(row) for row in rows]

    def count_documents(self, *, collection: str | None = None, status: DocumentStatus | None = None) -> int:
        query = filtered(select(func.count()).select_from(documents), collection, status)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def collections(self) -> list[str]:
        """Names of the collections that hold a living document, sorted."""
        query = select(documents.c.collection).where(LIVING).distinct().order_by(documents.c.collection)
        with reading(self._engine) as connection:
            return list(connection.execute(query).scalars())

    def is_blob_used(self, sha256: str) -> bool:
        """True while a living document's newest version has these bytes; otherwise the blob may go."""
        query = select(documents.c.document_id).where(documents.c.sha256 == sha256, LIVING).limit(1)
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None

    def version(self, document_id: str, version: int | None = None) -> DocumentVersion:
        """The extracted text of a version; None means the one that answers now.

        Raises:
            DocumentNotFound: no such document or version, or it was deleted.
            DocumentNotReady: no version of it has become ready yet.
        """
        with reading(self._engine) as connection:
            return read_version(connection, document_id, version)

    # Deleting

    def delete(self, document_id: str) -> Document:
        """From now on nothing of the document is said: passages, texts and vectors go, running work is cancelled.

        Deleting twice changes nothing. The blob is the caller's to remove, see ``is_blob_used``.

        Raises:
            DocumentNotFound
        """
        with writing(self._engine) as connection:
            take_write_lock(connection)
            if read_document(connection, document_id).status is not DocumentStatus.DELETED:
                delete_documents(connection, [document_id])
            return read_document(connection, document_id)

    def delete_collection(self, collection: str) -> int:
        """Delete every document of the collection; returns how many."""
        with writing(self._engine) as connection:
            take_write_lock(connection)
            query = select(documents.c.document_id).where(documents.c.collection == collection, LIVING)
            ids = list(connection.execute(query).scalars())
            if ids:
                delete_documents(connection, ids)
            return len(ids)

    # What a worker writes, under its fence

    def begin_parsing(self, job_id: str, fence: int, document_id: str) -> Document:
        """
        Raises:
            LeaseLost: also when the document was deleted or replaced meanwhile.
        """
        return self._set_status(job_id, fence, document_id, DocumentStatus.PARSING)

    def begin_embedding(self, job_id: str, fence: int, document_id: str) -> Document:
        """
        Raises:
            LeaseLost: also when the document was deleted or replaced meanwhile.
        """
        return self._set_status(job_id, fence, document_id, DocumentStatus.EMBEDDING)

    def complete_ingest(
        self,
        job_id: str,
        fence: int,
        document_id: str,
        *,
        version: int,
        title: str,
        text: str,
        passages: Sequence[Passage],
        vectors: Mapping[str, NDArray[np.float32]],
        fingerprint: str,
    ) -> Document:
        """Make the version the one that answers, and end the job.

        A passage whose id was there keeps its row; it counts as changed only if its search text did. Passages that are
        gone leave tombstones. ``vectors`` are (dimension,) float32 by search hash, for the texts embedded just now.

        Raises:
            LeaseLost: the job was lost, or the document deleted or replaced meanwhile; nothing is written.
            QuoteMismatch: a passage is not the stretch of ``text`` that its offsets name; nothing is written.
        """
        ingested = IngestedVersion(document_id, version, title, text, passages, vectors, fingerprint)
        check_passages(ingested)
        with writing(self._engine) as connection:
            take_write_lock(connection)
            check_fence(connection, job_id, fence, document_id)
            newest = read_document(connection, document_id).version
            if version != newest:
                raise LeaseLost(f"Version {version} of {document_id} was replaced by {newest}.", "Drop the work.")
            write_ingested(connection, ingested)
            finish_job(connection, job_id, JobStatus.SUCCEEDED, result={"passages": len(passages)})
            return read_document(connection, document_id)

    def fail_ingest(self, job_id: str, fence: int, document_id: str, reason: str) -> Document:
        """End the job and mark the document failed; a version that was ready before goes on answering.

        Raises:
            LeaseLost
        """
        with writing(self._engine) as connection:
            check_fence(connection, job_id, fence, document_id)
            finish_job(connection, job_id, JobStatus.FAILED, error=reason)
            now = database_time(connection)
            set_document_status(connection, document_id, DocumentStatus.FAILED, now, reason)
            return read_document(connection, document_id)

    # Passages

    def passages(self, document_id: str, limit: int = 10_000, offset: int = 0) -> list[Passage]:
        """The passages that answer now, in reading order.

        Raises:
            DocumentNotFound
        """
        with reading(self._engine) as connection:
            read_document(connection, document_id)
            return read_passages(connection, document_id, limit, offset)

    def fetch_passages(self, ids: Sequence[str]) -> dict[str, StoredPassage]:
        """The live ones of ``ids``; a deleted or replaced passage is simply missing."""
        with reading(self._engine) as connection:
            return fetch_stored(connection, ids)

    def revision(self) -> int:
        """Rises with every write that changes what may be answered."""
        with reading(self._engine) as connection:
            return read_revision(connection)

    def changes_since(self, revision: int) -> PassageChanges:
        """What an index of ``revision`` lacks, and what it must mask: ``removed``, and its own copies of ``added``."""
        with reading(self._engine) as connection:
            return read_changes(connection, revision)

    def iterate_passages(self, batch_size: int = 1000) -> Iterator[list[StoredPassage]]:
        """All live passages by id, a transaction a batch; read ``revision()`` first and catch up from it after."""
        after = ""
        while True:
            with reading(self._engine) as connection:
                batch = read_batch(connection, after, batch_size)
            if not batch:
                return
            yield batch
            after = batch[-1].passage.passage_id

    def count_passages(self) -> int:
        with reading(self._engine) as connection:
            return count_live(connection)

    def _set_status(self, job_id: str, fence: int, document_id: str, status: DocumentStatus) -> Document:
        with writing(self._engine) as connection:
            check_fence(connection, job_id, fence, document_id)
            set_document_status(connection, document_id, status, database_time(connection))
            return read_document(connection, document_id)
