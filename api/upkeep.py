"""What the worker queues by itself: the nightly re-index, and a rebuild when the index needs one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

from domain.errors import AlreadyRunning
from domain.jobs import JobKind, JobStatus
from retriever.retriever import Retriever
from storage.jobs import JobStore

logger = logging.getLogger(__name__)

USUAL = {"full": False, "promote": True}  # the payload of a re-index that nobody gave options for
_HOUR = timedelta(hours=1)
_MOST_AN_HOUR = 6


def local_now() -> datetime:
    return datetime.now().astimezone()


def parse_nightly(setting: str) -> time | None:
    """``nightly_at`` of the settings; None when it is off."""
    return None if setting == "off" else time.fromisoformat(setting)


def due(now: datetime, at: time) -> date | None:
    """The local date whose nightly run may begin, by the clock on the wall.

    A wall clock that skips ``at`` in spring is past it an hour later, and one that shows it twice in autumn, or is set
    back, shows the same date twice: the ledger of jobs gives each date one run.
    """
    return now.date() if now.time() >= at else None


def request_rebuild(jobs: JobStore) -> None:
    """Queue a re-index unless one is queued or running, the last one failed just now, or there were enough this hour:
    on a machine that does not see the others' generations every new one would look damaged."""
    now = datetime.now(UTC)
    recent = [job for job in jobs.list_jobs(JobKind.REINDEX, limit=_MOST_AN_HOUR) if now - job.updated_at < _HOUR]
    if len(recent) == _MOST_AN_HOUR or (recent and recent[0].status is JobStatus.FAILED):
        return
    with suppress(AlreadyRunning):
        job = jobs.enqueue(JobKind.REINDEX, USUAL, singleton=True)
        logger.info("The index needs a rebuild; it is queued", extra={"job_id": job.job_id})


class Upkeep:
    """Call it every few seconds, in any number of workers.

    Args:
        now: the local time, aware of its zone.
    """

    def __init__(
        self, jobs: JobStore, retriever: Retriever, nightly_at: time | None, now: Callable[[], datetime] = local_now
    ) -> None:
        self._jobs = jobs
        self._retriever = retriever
        self._nightly_at = nightly_at
        self._now = now
        self._done_for: date | None = None  # spares a look into the ledger

    def __call__(self) -> None:
        if self._retriever.needs_reindex():
            request_rebuild(self._jobs)
        self._queue_nightly()

    def _queue_nightly(self) -> None:
        day = due(self._now(), self._nightly_at) if self._nightly_at is not None else None
        if day is None or day == self._done_for:
            return
        with suppress(AlreadyRunning):  # then the day's turn comes when that one is through
            self._jobs.enqueue_daily(JobKind.REINDEX, USUAL, day.isoformat())
            self._done_for = day
