"""A worker process that embeds one batch and then hangs, for the tests that kill it. Arguments: database URL, blobs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from domain.jobs import JobKind
from domain.protocols import Vectors
from ingest.pipeline import IngestPipeline
from ingest.settings import IngestSettings
from ingest.worker import Worker
from storage.blobs import BlobStore
from storage.documents import DocumentStore
from storage.engine import create_database_engine
from storage.jobs import JobStore
from storage.vectors import VectorStore
from tests.fakes import HashEmbedder


class StuckEmbedder(HashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self._batches = 0

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self._batches += 1
        if self._batches == 2:
            sys.stdout.write("stuck\n")
            sys.stdout.flush()
            time.sleep(600)
        return super().encode_documents(texts)


def main() -> None:
    engine = create_database_engine(sys.argv[1])
    pipeline = IngestPipeline(
        DocumentStore(engine), VectorStore(engine), BlobStore(Path(sys.argv[2])), StuckEmbedder(), IngestSettings()
    )
    worker = Worker(JobStore(engine), {JobKind.INGEST: pipeline.handle}, "stuck", lease_seconds=1.5, poll_seconds=0.05)
    worker.run(threading.Event())


if __name__ == "__main__":
    main()
