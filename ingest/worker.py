"""The job loop: claim, work under a lease that a heartbeat renews, finish or give back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from domain.errors import AnswerdeskError, LeaseLost, StorageBusy, StorageUnreachable, Unavailable
from domain.jobs import Job, JobKind
from storage.jobs import JobStore

_log = logging.getLogger(__name__)

_BEATS_PER_LEASE = 3
_REPORT_EVERY = 0.5  # seconds between two progress writes
_LONGEST_PAUSE = 30.0  # seconds between tries while the database is out of reach
_UPKEEP_EVERY = 10.0  # seconds


class StopRequested(Exception):
    """Raised by ``JobContext.report``, so that a job ends at a place where it can be taken up again."""


class JobContext:
    """What a handler knows of the world outside its job. ``report`` is a ``domain.protocols.ProgressListener``."""

    def __init__(self, jobs: JobStore, job: Job, stop: threading.Event) -> None:
        self._jobs = jobs
        self._job = job
        self._stop = stop
        self._reported_at = float("-inf")
        self.lease_lost = threading.Event()  # set by the heartbeat

    def report(self, done: int, total: int) -> None:
        """Show progress, and learn whether to go on. Cheap: most calls write nothing.

        Raises:
            LeaseLost: somebody else has the job; drop the work.
            StopRequested: the worker is shutting down; let it pass through.
        """
        if self.lease_lost.is_set():
            raise LeaseLost(f"Job {self._job.job_id} was taken over.", "Drop the work; another worker finishes it.")
        if self._stop.is_set():
            raise StopRequested
        if done < total and time.monotonic() - self._reported_at < _REPORT_EVERY:
            return
        self._reported_at = time.monotonic()
        try:
            self._jobs.report_progress(self._job.job_id, self._job.fence, done, total)
        except (StorageBusy, StorageUnreachable):
            _log.info("progress_not_written", extra={"job_id": self._job.job_id})


# A handler returns the job's result, or None when it has ended the job itself.
Handler = Callable[[Job, JobContext], Mapping[str, Any] | None]


class Worker:
    """Works on one job at a time until it is told to stop; several workers may share a database.

    Args:
        upkeep: called between two jobs, at most every few seconds: queues what nobody asked for.
    """

    def __init__(
        self,
        jobs: JobStore,
        handlers: Mapping[JobKind, Handler],
        worker_name: str,
        lease_seconds: float = 60.0,
        poll_seconds: float = 0.5,
        upkeep: Callable[[], None] | None = None,
    ) -> None:
        self._jobs = jobs
        self._handlers = dict(handlers)
        self._name = worker_name
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._upkeep = upkeep
        self._kept_up_at = float("-inf")
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; a job in hand is then given back at its next progress report."""
        self._stop = stop
        pause = self._poll_seconds
        while not stop.is_set():
            try:
                self._keep_up()
                worked = self.run_once()
            except Unavailable as error:
                _log.warning("storage_unavailable", extra={"error": type(error).__name__, "pause": pause})
                stop.wait(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)
                continue
            pause = self._poll_seconds
            if not worked:
                stop.wait(self._poll_seconds)

    def run_once(self) -> bool:
        """Claim a job and work on it; False when there was none.

        Raises:
            Unavailable: the database cannot be used now. A claimed job comes back when its lease has run out.
        """
        job = self._jobs.claim(list(self._handlers), self._name, self._lease_seconds)
        if job is None:
            return False
        context = JobContext(self._jobs, job, self._stop)
        finished = threading.Event()
        heartbeat = threading.Thread(target=self._beat, args=(job, context, finished), name="heartbeat", daemon=True)
        heartbeat.start()
        try:
            self._work(job, context)
        finally:
            finished.set()
            heartbeat.join()
        return True

    def _keep_up(self) -> None:
        if self._upkeep is not None and time.monotonic() - self._kept_up_at >= _UPKEEP_EVERY:
            self._kept_up_at = time.monotonic()
            self._upkeep()

    def _work(self, job: Job, context: JobContext) -> None:
        facts = {"job_id": job.job_id, "kind": job.kind.value, "fence": job.fence}
        try:
            result = self._handlers[job.kind](job, context)
            if result is not None:
                self._jobs.succeed(job.job_id, job.fence, result)
        except LeaseLost:
            _log.warning("lease_lost", extra=facts)
        except StopRequested:
            _log.info("job_given_back", extra=facts)
            self._end(job, lambda: self._jobs.release(job.job_id, job.fence))
        except (StorageBusy, StorageUnreachable):
            self._end(job, lambda: self._jobs.release(job.job_id, job.fence))
            raise
        except AnswerdeskError as error:
            reason = f"{error.detail} {error.remedy}"
            _log.warning("job_failed", extra=facts | {"error": type(error).__name__})
            self._end(job, lambda: self._jobs.fail(job.job_id, job.fence, reason))
        except Exception as error:  # noqa: BLE001 - the loop's boundary: one job's defect must not end the worker
            reason = f"An unexpected error ({type(error).__name__}) stopped the work; the server's log has the details."
            _log.exception("job_crashed", extra=facts)
            self._end(job, lambda: self._jobs.fail(job.job_id, job.fence, reason))

    def _end(self, job: Job, write: Callable[[], None]) -> None:
        try:
            write()
        except LeaseLost:
            # The handler had ended its job before it failed, or another worker took the job over.
            _log.info("job_ended_elsewhere", extra={"job_id": job.job_id, "fence": job.fence})

    def _beat(self, job: Job, context: JobContext, finished: threading.Event) -> None:
        """Renew the lease at a third of its length until the work is finished or the lease is gone."""
        renewed_at = time.monotonic()
        while not finished.wait(self._lease_seconds / _BEATS_PER_LEASE):
            try:
                self._jobs.heartbeat(job.job_id, job.fence, self._lease_seconds)
                renewed_at = time.monotonic()
            except LeaseLost:
                context.lease_lost.set()
                return
            except Unavailable:
                # Busy is no loss: the next beat may come through before the lease runs out.
                if time.monotonic() - renewed_at > self._lease_seconds:
                    context.lease_lost.set()
                    return
