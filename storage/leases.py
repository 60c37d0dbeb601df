"""The fence: a worker's write counts only while the job is running under the fence that the worker was given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, select, update

from domain.documents import DocumentStatus
from domain.errors import LeaseLost
from domain.jobs import JobStatus
from storage.tables import documents, jobs
from storage.transactions import database_time


def check_fence(connection: Connection, job_id: str, fence: int, document_id: str | None = None) -> RowMapping:
    """The job's row, locked until the transaction ends.

    Raises:
        LeaseLost: the job is finished, superseded, claimed by another worker since, or of another document.
    """
    row = connection.execute(select(jobs).where(jobs.c.job_id == job_id).with_for_update()).mappings().first()
    holds = row is not None and row["status"] == JobStatus.RUNNING and row["fence"] == fence
    if row is None or not holds or (document_id is not None and row["document_id"] != document_id):
        raise LeaseLost(
            f"Job {job_id} is no longer held under fence {fence}.",
            "Drop the work; the worker that holds the job now, or a newer upload, finishes it.",
        )
    return row


def finish_job(
    connection: Connection,
    job_id: str,
    status: JobStatus,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    values = {"status": status, "result": None if result is None else dict(result), "error": error}
    now = database_time(connection)
    connection.execute(
        update(jobs).where(jobs.c.job_id == job_id).values(**values, lease_expires_at=None, updated_at=now)
    )


def cancel_ingest_jobs(connection: Connection, of_documents: ColumnElement[bool], reason: str) -> None:
    """Ends unfinished jobs whose ``jobs.c.document_id`` fits; a worker in the middle of one meets LeaseLost."""
    unfinished = jobs.c.status.in_((JobStatus.QUEUED, JobStatus.RUNNING))
    now = database_time(connection)
    connection.execute(
        update(jobs)
        .where(of_documents, unfinished)
        .values(status=JobStatus.FAILED, error=reason, lease_expires_at=None, updated_at=now)
    )


def set_document_status(
    connection: Connection, document_id: str, status: DocumentStatus, now: datetime, reason: str | None = None
) -> None:
    """Of a living document; a deleted one stays deleted."""
    connection.execute(
        update(documents)
        .where(documents.c.document_id == document_id, documents.c.status != DocumentStatus.DELETED)
        .values(status=status, reason=reason, updated_at=now)
    )
