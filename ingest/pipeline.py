"""One ingest job from stored bytes to searchable passages."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.documents import Document, Passage
from domain.errors import AnswerdeskError, LeaseLost, StorageBusy, StorageUnreachable
from domain.jobs import Job
from domain.protocols import Embedder
from domain.windows import encode_windows, windows_by_hash
from ingest.guarded import parse_guarded
from ingest.settings import IngestSettings
from ingest.splitting import split
from ingest.worker import JobContext
from storage.blobs import BlobStore
from storage.documents import DocumentStore
from storage.vectors import VectorStore

_log = logging.getLogger(__name__)

_BATCH = 64  # texts between two progress reports; what is embedded is stored, so a killed job loses one batch


class IngestPipeline:
    """Every step can be repeated: a job whose worker was killed starts again from the stored bytes."""

    def __init__(
        self,
        documents: DocumentStore,
        vectors: VectorStore,
        blobs: BlobStore,
        embedder: Embedder,
        settings: IngestSettings,
    ) -> None:
        self._documents = documents
        self._vectors = vectors
        self._blobs = blobs
        self._embedder = embedder
        self._settings = settings

    def handle(self, job: Job, context: JobContext) -> None:
        """Make the job's document ready, or mark it failed with a reason that its uploader understands.

        Raises:
            LeaseLost: another worker has the job now, or the document was deleted or replaced.
            StorageBusy, StorageUnreachable: nothing is wrong with the document; the job should be tried again.
        """
        document_id = str(job.payload["document_id"])
        try:
            self._ingest(job, document_id, context)
        except (LeaseLost, StorageBusy, StorageUnreachable):
            raise
        except AnswerdeskError as error:
            _log.info("document_failed", extra={"document_id": document_id, "error": type(error).__name__})
            self._documents.fail_ingest(job.job_id, job.fence, document_id, f"{error.detail} {error.remedy}")

    def _ingest(self, job: Job, document_id: str, context: JobContext) -> None:
        document = self._documents.begin_parsing(job.job_id, job.fence, document_id)
        parsed = parse_guarded(self._blobs.path(document.sha256), document.media_type, document.source, self._settings)
        if parsed.skipped_rows:
            _log.warning("faq_rows_skipped", extra={"document_id": document_id, "rows": parsed.skipped_rows})
        passages = split(parsed, document_id, document.version, self._settings)
        self._documents.begin_embedding(job.job_id, job.fence, document_id)
        vectors = self._embed_missing(passages, context)
        self._documents.complete_ingest(
            job.job_id,
            job.fence,
            document_id,
            version=document.version,
            title=parsed.title,
            text=parsed.text,
            passages=passages,
            vectors=vectors,
            fingerprint=self._embedder.fingerprint,
        )
        self._log_ready(document, passages, len(vectors))

    def _embed_missing(self, passages: Sequence[Passage], context: JobContext) -> dict[str, NDArray[np.float32]]:
        """Vectors, by search hash, of the texts that were never embedded before: (dimension,) float32 each."""
        texts = windows_by_hash(passages)
        stored = self._vectors.get_many(self._embedder.fingerprint, list(texts))
        missing = [key for key in texts if key not in stored]
        embedded: dict[str, NDArray[np.float32]] = {}
        done = len(texts) - len(missing)
        context.report(done, len(texts))
        for start in range(0, len(missing), _BATCH):
            keys = missing[start : start + _BATCH]
            batch = dict(zip(keys, encode_windows(self._embedder, [texts[key] for key in keys]), strict=True))
            if len(missing) > _BATCH:
                self._vectors.put_many(self._embedder.fingerprint, batch)
            embedded |= batch
            done += len(keys)
            context.report(done, len(texts))
        return embedded

    def _log_ready(self, document: Document, passages: Sequence[Passage], embedded: int) -> None:
        facts = {"document_id": document.document_id, "version": document.version}
        _log.info("document_ready", extra=facts | {"passages": len(passages), "embedded": embedded})
