"""The stores of one database with a way to put an upload into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from domain.documents import Document
from domain.jobs import Job, JobKind
from domain.protocols import Vectors
from ingest.parsers import detect_media_type
from ingest.pipeline import IngestPipeline
from ingest.settings import IngestSettings
from ingest.worker import Worker
from storage.blobs import BlobStore
from storage.documents import DocumentStore
from storage.jobs import JobStore
from storage.vectors import VectorStore
from tests.fakes import HashEmbedder


class CountingEmbedder(HashEmbedder):
    """Remembers every text that it was asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super().encode_documents(texts)


@dataclass
class Floor:
    url: str
    blob_root: Path
    documents: DocumentStore
    vectors: VectorStore
    jobs: JobStore
    blobs: BlobStore
    embedder: CountingEmbedder = field(default_factory=CountingEmbedder)

    @property
    def pipeline(self) -> IngestPipeline:
        return IngestPipeline(self.documents, self.vectors, self.blobs, self.embedder, IngestSettings())

    def worker(self, lease_seconds: float = 60.0) -> Worker:
        return Worker(self.jobs, {JobKind.INGEST: self.pipeline.handle}, "test", lease_seconds, poll_seconds=0.02)

    def upload(self, source: str, content: str | bytes) -> tuple[Document, Job | None]:
        data = content.encode() if isinstance(content, str) else content
        with self.blobs.stage() as staged:
            staged.write(data)
            sha256 = staged.commit()
        return self.documents.accept_upload(
            collection="shop",
            source=source,
            title=source,
            media_type=detect_media_type(source, data[:65536]),
            size_bytes=len(data),
            sha256=sha256,
        )

    def ingest(self, source: str, content: str | bytes) -> Document:
        document, _ = self.upload(source, content)
        self.worker().run_once()
        return self.documents.get(document.document_id)
