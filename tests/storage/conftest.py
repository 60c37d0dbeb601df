"""Every store is tested on both databases; the PostgreSQL one is real."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.conversations import ConversationStore
from storage.documents import DocumentStore
from storage.engine import create_database_engine, upgrade_schema
from storage.generations import GenerationStore
from storage.jobs import JobStore
from storage.keys import KeyStore
from storage.models import ModelStore
from storage.vectors import VectorStore
from tests.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "answerdesk.db"
    engine = create_database_engine(f"sqlite:///{path}")
    upgrade_schema(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_path(migrated_sqlite: Path, tmp_path: Path) -> Path:
    path = tmp_path / "answerdesk.db"
    shutil.copy(migrated_sqlite, path)
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of its own for each test, with the newest schema."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.empty_database()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_database_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def documents(engine: Engine) -> DocumentStore:
    return DocumentStore(engine)


@pytest.fixture
def jobs(engine: Engine) -> JobStore:
    return JobStore(engine)


@pytest.fixture
def vectors(engine: Engine) -> VectorStore:
    return VectorStore(engine)


@pytest.fixture
def conversations(engine: Engine) -> ConversationStore:
    return ConversationStore(engine)


@pytest.fixture
def generations(engine: Engine) -> GenerationStore:
    return GenerationStore(engine)


@pytest.fixture
def models(engine: Engine) -> ModelStore:
    return ModelStore(engine)


@pytest.fixture
def keys(engine: Engine) -> KeyStore:
    return KeyStore(engine)
