"""Transactions and the few statements that every store shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.failures import database_failures
from storage.tables import revisions

WRITES = "answerdesk_writes"  # execution option that the engine's begin event reads
CHUNK = 500  # ids in one IN (): SQLite allows 32,766 variables, PostgreSQL 65,535; short statements are cached better

Item = TypeVar("Item")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A read transaction that sees one snapshot, however many statements it runs."""
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with database_failures(), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A write transaction: committed at the end of the block, rolled back on any error.

    Raises:
        StorageBusy, StorageFull, StorageUnreachable
    """
    with database_failures(), engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        yield connection


def database_time(connection: Connection) -> datetime:
    """Now in UTC, by the one clock that all processes share: the server's, or this machine's for SQLite."""
    if connection.dialect.name == "postgresql":
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)
    return datetime.now(UTC)


def take_write_lock(connection: Connection) -> int:
    """On PostgreSQL what BEGIN IMMEDIATE is on SQLite: one writer of the knowledge at a time; returns the revision.

    Revisions therefore commit in their order. Locks are always taken in the order revision, jobs, documents.
    """
    return int(connection.execute(select(revisions.c.value).with_for_update()).scalar_one())


def bump_revision(connection: Connection) -> int:
    """Called by every write that changes what may be answered, under ``take_write_lock``; returns the new revision."""
    revision = take_write_lock(connection) + 1
    connection.execute(update(revisions).values(value=revision))
    return revision


def upsert(connection: Connection, table: Table) -> Any:
    """INSERT with ON CONFLICT, which both databases have under different imports."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, leaving those alone whose key is there already."""
    for some in chunked(rows):
        connection.execute(upsert(connection, table).on_conflict_do_nothing(), [dict(row) for row in some])


def chunked(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
