"""A real SQLite database for the pipeline and the worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.blobs import BlobStore
from storage.documents import DocumentStore
from storage.engine import create_database_engine, upgrade_schema
from storage.jobs import JobStore
from storage.vectors import VectorStore
from tests.ingest.floor import Floor


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    url = f"sqlite:///{tmp_path / 'answerdesk.db'}"
    engine = create_database_engine(url)
    upgrade_schema(engine)
    blob_root = tmp_path / "blobs"
    yield Floor(url, blob_root, DocumentStore(engine), VectorStore(engine), JobStore(engine), BlobStore(blob_root))
    engine.dispose()
