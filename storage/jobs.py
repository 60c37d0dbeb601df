"""The job ledger: at-least-once work with a lease, made exactly-once in effect by a fence."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, and_, case, func, insert, or_, select, update

from domain.documents import DocumentStatus
from domain.errors import AlreadyRunning, JobNotFound
from domain.ids import new_id
from domain.jobs import Job, JobKind, JobStatus
from storage.leases import check_fence, finish_job, set_document_status
from storage.rows import to_job
from storage.tables import jobs
from storage.transactions import database_time, reading, take_write_lock, writing

_log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3  # claims of one job; a job that took its worker down this often would do so again
MAX_LISTED = 1000

_UNFINISHED = jobs.c.status.in_((JobStatus.QUEUED, JobStatus.RUNNING))


class JobStore:
    """Each job is claimed by one worker at a time. A worker silent for longer than its lease loses the job, and what it
    writes afterwards is refused (LeaseLost), because every write names the fence it was claimed under."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enqueue(self, kind: JobKind, payload: Mapping[str, Any], *, singleton: bool = False) -> Job:
        """Queue a job; ``payload`` must be JSON. A payload's ``document_id`` ties the document's status to the job.

        Raises:
            AlreadyRunning: ``singleton`` and a job of this kind is queued or running.
        """
        if singleton:
            self._requeue_abandoned(kind)
        with writing(self._engine) as connection:
            if singleton:
                take_write_lock(connection)  # of twenty at once, nineteen must see the first one's row
                _require_none_active(connection, kind)
            return insert_job(connection, kind, payload)

    def enqueue_daily(self, kind: JobKind, payload: Mapping[str, Any], day: str) -> Job | None:
        """Queue the job of ``day`` (an ISO date), which is kept in its payload; None when that day has had its job.

        Raises:
            AlreadyRunning: another job of this kind is queued or running; the day's is not entered.
        """
        had = select(jobs.c.job_id).where(jobs.c.kind == kind, jobs.c.payload["day"].as_string() == day)
        self._requeue_abandoned(kind)
        with writing(self._engine) as connection:
            take_write_lock(connection)
            if connection.execute(had.limit(1)).first() is not None:
                return None
            _require_none_active(connection, kind)
            return insert_job(connection, kind, {**payload, "day": day})

    def claim(self, kinds: Sequence[JobKind], worker: str, lease_seconds: float = 60.0) -> Job | None:
        """The oldest job of ``kinds`` that is queued or whose lease ran out, now leased to ``worker``; None if none is.

        A job that was claimed ``MAX_ATTEMPTS`` times without an end fails here, and its document with it.
        """
        with writing(self._engine) as connection:
            now = database_time(connection)
            while (row := _claimable(connection, kinds, now)) is not None:
                if row["attempts"] < MAX_ATTEMPTS:
                    return _lease(connection, row, worker, now, lease_seconds)
                _give_up(connection, row, now)
        return None

    def heartbeat(self, job_id: str, fence: int, lease_seconds: float = 60.0) -> None:
        """Extend the lease from now.

        Raises:
            LeaseLost
        """
        with writing(self._engine) as connection:
            check_fence(connection, job_id, fence)
            expires = database_time(connection) + timedelta(seconds=lease_seconds)
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(lease_expires_at=expires))

    def report_progress(self, job_id: str, fence: int, done: int, total: int) -> None:
        """``done`` of ``total`` in the job's own unit.

        Raises:
            LeaseLost
        """
        with writing(self._engine) as connection:
            check_fence(connection, job_id, fence)
            values = {"done": done, "total": total, "updated_at": database_time(connection)}
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(**values))

    def succeed(self, job_id: str, fence: int, result: Mapping[str, Any]) -> None:
        """End the job with a JSON ``result``.

        Raises:
            LeaseLost
        """
        with writing(self._engine) as connection:
            check_fence(connection, job_id, fence)
            finish_job(connection, job_id, JobStatus.SUCCEEDED, result=result)

    def fail(self, job_id: str, fence: int, error: str) -> None:
        """End the job with a reason in plain words; a document that it was to ingest fails with the same reason.

        Raises:
            LeaseLost
        """
        with writing(self._engine) as connection:
            row = check_fence(connection, job_id, fence)
            finish_job(connection, job_id, JobStatus.FAILED, error=error)
            _set_document(connection, row, DocumentStatus.FAILED, error)

    def release(self, job_id: str, fence: int) -> None:
        """Give the job back to the queue, as a worker does that is told to stop; the attempt does not count.

        Raises:
            LeaseLost
        """
        with writing(self._engine) as connection:
            row = check_fence(connection, job_id, fence)
            values = {"status": JobStatus.QUEUED, "attempts": jobs.c.attempts - 1, "lease_expires_at": None}
            now = database_time(connection)
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(**values, updated_at=now))
            _set_document(connection, row, DocumentStatus.QUEUED, None)

    def get(self, job_id: str) -> Job:
        """
        Raises:
            JobNotFound
        """
        with reading(self._engine) as connection:
            return read_job(connection, job_id)

    def list_jobs(self, kind: JobKind | None = None, limit: int = 50) -> list[Job]:
        """Newest first, at most ``MAX_LISTED``."""
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc()).limit(min(limit, MAX_LISTED))
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        with reading(self._engine) as connection:
            return [to_job(row) for row in connection.execute(query).mappings()]

    def count_queued(self) -> int:
        query = select(func.count()).select_from(jobs).where(jobs.c.status == JobStatus.QUEUED)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def _requeue_abandoned(self, kind: JobKind) -> None:
        """What a killed worker held is called queued again, not running, once its lease has run out: whoever is then
        refused by it knows that it may be carried out."""
        with writing(self._engine) as connection:
            expired = (jobs.c.status == JobStatus.RUNNING, jobs.c.lease_expires_at < database_time(connection))
            values = {"status": JobStatus.QUEUED, "lease_expires_at": None}
            connection.execute(update(jobs).where(jobs.c.kind == kind, *expired).values(**values))


def insert_job(connection: Connection, kind: JobKind, payload: Mapping[str, Any]) -> Job:
    now = database_time(connection)
    row = {
        "job_id": new_id(),
        "kind": kind,
        "document_id": payload.get("document_id"),
        "payload": dict(payload),
        "status": JobStatus.QUEUED,
        "fence": 0,
        "attempts": 0,
        "done": 0,
        "total": 0,
        "created_at": now,
        "updated_at": now,
    }
    connection.execute(insert(jobs).values(**row))
    return read_job(connection, str(row["job_id"]))


def read_job(connection: Connection, job_id: str) -> Job:
    row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
    if row is None:
        raise JobNotFound(f"There is no job {job_id}.", "Use an id that an upload or a re-index returned.")
    return to_job(row)


def _require_none_active(connection: Connection, kind: JobKind) -> None:
    """The caller holds the write lock."""
    running = _active(connection, kind)
    if running is not None:
        raise AlreadyRunning(
            f"A {kind} job is {running['status']} already: {running['job_id']}.",
            "Wait for it, or follow its progress by that id.",
            running_id=running["job_id"],
        )


def _active(connection: Connection, kind: JobKind) -> RowMapping | None:
    """The running job of this kind, else the oldest queued one."""
    running_first = case((jobs.c.status == JobStatus.RUNNING, 0), else_=1)
    query = select(jobs).where(jobs.c.kind == kind, _UNFINISHED).order_by(running_first, jobs.c.created_at).limit(1)
    return connection.execute(query).mappings().first()


def _claimable(connection: Connection, kinds: Sequence[JobKind], now: datetime) -> RowMapping | None:
    """PostgreSQL's workers skip rows that another claim holds; on SQLite BEGIN IMMEDIATE already excludes them."""
    expired = and_(jobs.c.status == JobStatus.RUNNING, jobs.c.lease_expires_at < now)
    query = (
        select(jobs)
        .where(jobs.c.kind.in_(kinds), or_(jobs.c.status == JobStatus.QUEUED, expired))
        .order_by(jobs.c.created_at, jobs.c.job_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).mappings().first()


def _lease(connection: Connection, row: RowMapping, worker: str, now: datetime, lease_seconds: float) -> Job:
    values = {
        "status": JobStatus.RUNNING,
        "worker": worker,
        "fence": row["fence"] + 1,
        "attempts": row["attempts"] + 1,
        "lease_expires_at": now + timedelta(seconds=lease_seconds),
        "updated_at": now,
    }
    connection.execute(update(jobs).where(jobs.c.job_id == row["job_id"]).values(**values))
    return read_job(connection, row["job_id"])


def _give_up(connection: Connection, row: RowMapping, now: datetime) -> None:
    reason = (
        f"The work stopped unexpectedly {row['attempts']} times, most likely for lack of memory. "
        "Give it more memory, or split the document into smaller files, then start it again."
    )
    _log.error("job_given_up", extra={"job_id": row["job_id"], "attempts": row["attempts"]})
    values = {"status": JobStatus.FAILED, "error": reason, "lease_expires_at": None}
    connection.execute(update(jobs).where(jobs.c.job_id == row["job_id"]).values(**values, updated_at=now))
    _set_document(connection, row, DocumentStatus.FAILED, reason)


def _set_document(connection: Connection, row: RowMapping, status: DocumentStatus, reason: str | None) -> None:
    if row["kind"] == JobKind.INGEST and row["document_id"] is not None:
        set_document_status(connection, row["document_id"], status, database_time(connection), reason)
