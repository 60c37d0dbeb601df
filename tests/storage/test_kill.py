"""What kill -9 and a database that drops its connections leave behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from domain.documents import DocumentStatus
from domain.errors import StorageUnreachable
from storage.documents import DocumentStore
from storage.engine import create_database_engine, ping
from storage.jobs import JobStore
from storage.transactions import reading
from tests.postgres import PostgresServer
from tests.storage.builders import claim, complete, ingest, upload

_WORKER = """
import itertools, sys
from storage.documents import DocumentStore
from storage.engine import create_database_engine
from storage.jobs import JobStore
from tests.storage.builders import ingest
engine = create_database_engine(sys.argv[1])
documents, jobs = DocumentStore(engine), JobStore(engine)
for number in itertools.count():
    ingest(documents, jobs, [f"{number} says {line}." for line in range(40)], source=f"{number % 5}.md")
    print(number, flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.013, 0.037])
def test_a_killed_ingest_is_there_whole_or_not_at_all(sqlite_path: Path, delay: float) -> None:
    url = f"sqlite:///{sqlite_path}"
    with subprocess.Popen([sys.executable, "-c", _WORKER, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(7)]
        time.sleep(delay)
        process.kill()
        acknowledged += process.stdout.readlines()
    engine = create_database_engine(url)
    with reading(engine) as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    documents = DocumentStore(engine)
    completed = documents.revision()
    assert completed - len(acknowledged) in (0, 1)  # the one in flight may have been committed just before
    for document in documents.list_documents():
        texts = [passage.text for passage in documents.passages(document.document_id)]
        versions = {passage.version for passage in documents.passages(document.document_id)}
        assert len(texts) == document.passage_count
        assert len(texts) in (0, 40)
        if texts:
            assert documents.version(document.document_id).text == "\n\n".join(texts)
            assert versions == {documents.version(document.document_id).version}
    engine.dispose()


def test_a_killed_workers_job_is_finished_by_another(documents: DocumentStore, jobs: JobStore) -> None:
    document, _ = upload(documents)
    killed = claim(jobs, "killed", lease_seconds=0.05)
    documents.begin_parsing(killed.job_id, killed.fence, document.document_id)
    time.sleep(0.1)
    assert complete(documents, claim(jobs, "other"), ["Hello."]).status is DocumentStatus.READY


@pytest.mark.postgres
def test_dropped_connections_are_replaced_without_a_restart(postgres: PostgresServer) -> None:
    engine = create_database_engine(postgres.empty_database())
    documents, jobs = DocumentStore(engine), JobStore(engine)
    ingest(documents, jobs, ["Hello."])
    _drop_connections(postgres, engine)
    ping(engine)
    assert documents.count_passages() == 1
    engine.dispose()


@pytest.mark.postgres
def test_a_connection_dropped_inside_a_transaction_is_unreachable_not_a_crash(postgres: PostgresServer) -> None:
    engine = create_database_engine(postgres.empty_database())

    def read_twice() -> None:
        with reading(engine) as connection:
            connection.execute(text("SELECT 1"))
            _drop_connections(postgres, engine)
            connection.execute(text("SELECT 1"))

    with pytest.raises(StorageUnreachable):
        read_twice()
    ping(engine)
    engine.dispose()


def _drop_connections(postgres: PostgresServer, engine: Engine) -> None:
    other = create_database_engine(str(engine.url.set(database="postgres")))
    with reading(other) as connection:
        kill = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
        )
        connection.execute(text(kill), {"name": engine.url.database})
    other.dispose()
