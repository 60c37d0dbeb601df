"""The engine's promises: durable settings, private files, writers that wait, one schema for both databases."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import IntegrityError

from domain.errors import InvalidInput, SettingsInvalid, StorageBusy, StorageFull, StorageUnreachable
from storage.conversations import ConversationStore
from storage.engine import create_database_engine, ping, sqlite_has_wal_fix, upgrade_schema
from storage.tables import metadata, revisions, tombstones
from storage.transactions import reading, take_write_lock, writing
from tests.postgres import PostgresServer


def test_schema_of_the_migrations_equals_the_metadata(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    upgrade_schema(engine)
    with reading(engine) as connection:
        assert connection.execute(select(revisions.c.value)).scalars().all() == [0]


@pytest.mark.postgres
def test_upgrade_builds_an_empty_postgresql_even_when_four_threads_try(postgres: PostgresServer) -> None:
    engine = create_database_engine(postgres.create_database("upgraded_by_four"))
    threads = [threading.Thread(target=upgrade_schema, args=(engine,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert connection.execute(select(revisions.c.value)).scalars().all() == [0]
    engine.dispose()


def test_two_processes_may_create_the_sqlite_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'answerdesk.db'}"
    script = f"from storage.engine import *; upgrade_schema(create_database_engine({url!r}))"
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]


def test_sqlite_is_durable_and_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "answerdesk.db"
    engine = create_database_engine(f"sqlite:///{path}")
    upgrade_schema(engine)
    with reading(engine) as connection:
        pragmas = ("journal_mode", "foreign_keys", "synchronous", "secure_delete", "busy_timeout")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas]
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    engine.dispose()
    assert values == ["wal", 1, 2, 1, 5000]
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_wal_fix_is_reported(sqlite_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{sqlite_path}")
    version = engine.dialect.dbapi.sqlite_version_info  # type: ignore[union-attr]  # it has one
    assert sqlite_has_wal_fix(engine) is (version >= (3, 51, 3))


def test_ping_answers(engine: Engine) -> None:
    ping(engine)


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@localhost/answerdesk", "secret", "postgresql://me:secret@host:port"]
)
def test_unusable_database_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        create_database_engine(url)
    assert "secret" not in str(caught.value)


def test_a_failed_block_leaves_nothing_behind(engine: Engine) -> None:
    def write_and_fail() -> None:
        with writing(engine) as connection:
            connection.execute(insert(tombstones).values(passage_id="p", revision=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with reading(engine) as connection:
        assert connection.execute(select(tombstones)).all() == []


def test_a_read_transaction_sees_one_snapshot(engine: Engine) -> None:
    with reading(engine) as reader:
        before = reader.execute(select(tombstones)).all()
        with writing(engine) as writer:
            writer.execute(insert(tombstones).values(passage_id="p", revision=1))
        assert reader.execute(select(tombstones)).all() == before == []


def test_a_writer_waits_for_the_writer_before_it(engine: Engine) -> None:
    """Ten read-then-write transactions lose no update; with deferred BEGIN most of them would fail at once."""

    def count_up() -> None:
        with writing(engine) as connection:
            value = take_write_lock(connection)
            time.sleep(0.01)
            connection.execute(revisions.update().values(value=value + 1))

    threads = [threading.Thread(target=count_up) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert connection.execute(select(revisions.c.value)).scalar_one() == 10


def test_a_database_locked_for_too_long_is_busy(engine: Engine, database_url: str) -> None:
    impatient = create_database_engine(database_url, busy_seconds=0.3)
    start = time.monotonic()
    with writing(engine) as holder:
        take_write_lock(holder)
        with pytest.raises(StorageBusy), writing(impatient) as connection:
            take_write_lock(connection)
    assert time.monotonic() - start >= 0.3  # it did wait: a deferred transaction would have failed at once
    impatient.dispose()


def test_a_full_sqlite_is_reported_and_stays_intact(sqlite_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{sqlite_path}")

    def fill_up() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")  # SQLite rounds it up to the present size
            connection.execute(insert(tombstones).values(passage_id="p" * 200_000, revision=1))

    with pytest.raises(StorageFull):
        fill_up()
    with reading(engine) as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert connection.execute(select(tombstones)).all() == []
    engine.dispose()


def test_a_schema_of_a_newer_release_is_told(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageUnreachable, match="this release does not know"):
        upgrade_schema(engine)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "answerdesk.db"
    path.write_bytes(b"these are notes, and no database. " * 200)
    with pytest.raises(StorageUnreachable, match="no SQLite database"):
        upgrade_schema(create_database_engine(f"sqlite:///{path}"))


def test_an_absent_server_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(StorageUnreachable):
        ping(create_database_engine(f"postgresql://postgres@/postgres?host={tmp_path}"))


def test_half_a_surrogate_pair_is_invalid_input(conversations: ConversationStore) -> None:
    with pytest.raises(InvalidInput):
        conversations.create("owner\ud800", None)


def test_error_messages_do_not_carry_statement_parameters(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as caught, writing(engine) as connection:
        connection.execute(insert(tombstones), [{"passage_id": "secret", "revision": one} for one in (1, 2)])
    assert "hide_parameters" in str(caught.value)
