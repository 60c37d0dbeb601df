"""Background work: a job is claimed under a lease, and its fence tells a stale worker from the current one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    INGEST = "ingest"
    REINDEX = "reindex"


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """``fence`` rises by one with every claim; a write under an older fence is refused.

    ``payload`` and ``result`` are JSON objects. ``done`` of ``total`` is progress in the job's own unit.
    """

    job_id: str
    kind: JobKind
    payload: Mapping[str, Any]
    status: JobStatus
    fence: int
    attempts: int
    done: int
    total: int
    error: str | None
    result: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
