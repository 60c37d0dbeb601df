"""A real SQLite database for each test, copied from one that was migrated once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.engine import create_database_engine, upgrade_schema
from tests.retriever.knowledge import KnowledgeBase


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "answerdesk.db"
    engine = create_database_engine(f"sqlite:///{path}")
    upgrade_schema(engine)
    engine.dispose()
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "answerdesk.db"
    shutil.copy(migrated, path)
    engine = create_database_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def kb(database: Engine, tmp_path: Path) -> KnowledgeBase:
    return KnowledgeBase(database, tmp_path)
