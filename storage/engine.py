"""The database engine: SQLite set up to be durable and shared by processes, or PostgreSQL; and the schema upgrade.

SQLite before 3.51.3 has a race when several connections checkpoint a WAL, and Python's own library is older, so the
``pysqlite3`` wheel is used where there is one (https://www.sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy import create_engine as sqlalchemy_create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from domain.errors import SettingsInvalid, StorageUnreachable
from storage.transactions import WRITES, reading, writing

_log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
_WAL_FIX = (3, 51, 3)
_URL_REMEDY = "Use postgresql://USER:PASSWORD@HOST/NAME, or leave it unset for SQLite."
_MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADE_LOCK = 0x616E7364  # any constant; names the PostgreSQL advisory lock of the schema upgrade


def create_database_engine(url: str, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine with a connection pool; connects on first use, not here. Safe to share between threads, not forks.

    A statement waits ``busy_seconds`` for another writer's lock, then StorageBusy is raised.
    ``hide_parameters`` keeps document text and customers' words out of error messages and logs.

    Raises:
        SettingsInvalid: not a URL, or of another database. The message leaves it out: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SettingsInvalid("The database URL cannot be read.", _URL_REMEDY) from error
    if parsed.get_backend_name() == "sqlite":
        return _create_sqlite_engine(parsed, busy_seconds)
    if parsed.get_backend_name() == "postgresql":
        return _create_postgres_engine(parsed.set(drivername="postgresql+psycopg"), busy_seconds)
    raise SettingsInvalid(f"Database {parsed.get_backend_name()!r} is not supported.", _URL_REMEDY)


def sqlite_has_wal_fix(engine: Engine) -> bool:
    """False when this SQLite may lose a commit in the WAL reset race; ``doctor`` reports it. True on PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return True
    version = getattr(engine.dialect.dbapi, "sqlite_version_info", (0,))
    return tuple(version) >= _WAL_FIX


def ping(engine: Engine) -> None:
    """Asks the database for a constant.

    Raises:
        StorageUnreachable, StorageBusy
    """
    with reading(engine) as connection:
        connection.execute(select(1))


def upgrade_schema(engine: Engine) -> None:
    """Brings the schema to the newest revision; nothing to do is fine. Processes that start at once queue up.

    Raises:
        StorageUnreachable: also when the schema is one that only a newer release knows.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:  # one transaction: both databases have transactional DDL
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StorageUnreachable(
                f"The database has a schema that this release does not know: {error}.",
                "Start the newer release that wrote it, or use a copy of the database from before.",
            ) from error


def _create_sqlite_engine(url: URL, busy_seconds: float) -> Engine:
    if url.database and url.database != ":memory:":
        _create_private_file(Path(url.database))
    module = _sqlite_module()
    engine = sqlalchemy_create_engine(
        url,
        module=module,
        connect_args={"timeout": busy_seconds},
        pool_size=20,
        pool_timeout=busy_seconds,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_pragmas(module))
    event.listen(engine, "begin", _begin)
    return engine


def _create_postgres_engine(url: URL, busy_seconds: float) -> Engine:
    milliseconds = int(busy_seconds * 1000)
    return sqlalchemy_create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=busy_seconds,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 2,
            # A stopped process must not keep the others waiting for its row locks for ever.
            "options": f"-c lock_timeout={milliseconds} -c idle_in_transaction_session_timeout=60000",
        },
    )


def _sqlite_module() -> ModuleType:
    try:
        return importlib.import_module("pysqlite3")
    except ImportError:
        module = importlib.import_module("sqlite3")
        _log.warning("sqlite_without_wal_fix", extra={"sqlite_version": module.sqlite_version})
        return module


def _create_private_file(path: Path) -> None:
    """SQLite gives its WAL the mode of the database file, so setting that one is enough."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_pragmas(module: ModuleType) -> Callable[[Any, object], None]:
    def set_pragmas(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # the driver begins nothing by itself; _begin does
        _enter_wal(dbapi_connection, module)
        dbapi_connection.execute("PRAGMA foreign_keys=ON")
        dbapi_connection.execute("PRAGMA synchronous=FULL")
        dbapi_connection.execute("PRAGMA secure_delete=ON")  # deleted documents leave no text in free pages

    return set_pragmas


def _enter_wal(dbapi_connection: Any, module: ModuleType) -> None:
    """The switch to WAL does not wait for the busy timeout, so two first connections have to be patient here."""
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            dbapi_connection.execute("PRAGMA journal_mode=WAL")
            return
        except module.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _begin(connection: Connection) -> None:
    """Writers take the write lock at once: a reader that turns writer fails without waiting (SQLITE_BUSY_SNAPSHOT)."""
    is_writer = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")
