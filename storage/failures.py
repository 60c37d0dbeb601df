"""The one place that turns failures of the database and the disk into errors of the vocabulary."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from domain.errors import AnswerdeskError, InvalidInput, StorageBusy, StorageFull, StorageUnreachable

# https://www.sqlite.org/rescode.html, primary codes: the low byte of the extended one
_SQLITE_BUSY, _SQLITE_LOCKED, _SQLITE_IOERR, _SQLITE_FULL, _SQLITE_CANTOPEN = 5, 6, 10, 13, 14
_SQLITE_READONLY, _SQLITE_CORRUPT, _SQLITE_NOTADB = 8, 11, 26
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_BUSY = frozenset(("40001", "40P01", "55P03", "57014"))  # serialisation, deadlock, lock wait, cancelled
_POSTGRES_FULL = frozenset(("53100", "53200"))  # disk full, out of memory
_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def database_failures() -> Iterator[None]:
    """Wraps a transaction.

    Raises:
        StorageBusy: another writer held the database for too long, or the pool is exhausted.
        StorageFull: the disk under the database is full.
        StorageUnreachable: the server is gone or the file cannot be opened.
        InvalidInput: text that the database cannot hold (a NUL character, a lone surrogate).
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise _busy() from error
    except exc.DBAPIError as error:
        translated = _translate(error)
        if translated is None:
            raise
        raise translated from error
    except UnicodeEncodeError as error:
        raise _not_text() from error


@contextmanager
def disk_failures() -> Iterator[None]:
    """Wraps file writes: a full disk or an exhausted quota becomes StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise _full() from error
        raise


def _translate(error: exc.DBAPIError) -> AnswerdeskError | None:
    if isinstance(error, exc.DataError):
        return _not_text()
    sqlite_code = getattr(error.orig, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return _translate_sqlite(int(sqlite_code) & 0xFF)
    return _translate_postgres(error)


def _translate_sqlite(code: int) -> AnswerdeskError | None:
    if code in (_SQLITE_BUSY, _SQLITE_LOCKED):
        return _busy()
    # A write that meets a file size limit or a full disk part-way reports an I/O error rather than "full".
    if code in (_SQLITE_FULL, _SQLITE_IOERR):
        return _full()
    if code in (_SQLITE_CORRUPT, _SQLITE_NOTADB):
        return StorageUnreachable(
            "The database file is damaged, or no SQLite database.",
            "Put a copy from before in its place; with no file there, Answerdesk starts with an empty one.",
        )
    if code == _SQLITE_READONLY:
        return StorageUnreachable("The database file may not be written.", "Check its owner and its permissions.")
    return _unreachable() if code == _SQLITE_CANTOPEN else None


def _translate_postgres(error: exc.DBAPIError) -> AnswerdeskError | None:
    state = getattr(error.orig, "sqlstate", None)
    if state in _POSTGRES_BUSY:
        return _busy()
    if state in _POSTGRES_FULL:
        return _full()
    # Classes 08 and 57 are connection failures and shutdowns; a connection that never came about has no code.
    gone = state is None or state.startswith(("08", "57"))
    return _unreachable() if gone and isinstance(error, exc.OperationalError) else None


def _busy() -> StorageBusy:
    return StorageBusy(
        "Another write held the database for longer than this one may wait, by default 5 s.",
        "Try again in a moment; if it lasts, look for a process that keeps a transaction open.",
    )


def _full() -> StorageFull:
    return StorageFull(
        "The disk refused a write because it is full or a limit is reached.",
        "Free space or raise the quota, then try again; what was committed before is intact.",
    )


def _unreachable() -> StorageUnreachable:
    return StorageUnreachable(
        "The database cannot be reached.",
        "Check that it runs and that ANSWERDESK_DATABASE_URL is right; the service recovers by itself.",
    )


def _not_text() -> InvalidInput:
    return InvalidInput(
        "The text holds a character that the database cannot store, such as NUL or half of a surrogate pair.",
        "Remove it and try again.",
    )
