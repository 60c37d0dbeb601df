from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from domain.errors import LeaseLost, ModelMissing, StorageBusy
from domain.jobs import Job, JobKind, JobStatus
from ingest.worker import Handler, JobContext, Worker
from tests.ingest.floor import Floor


def _worker(floor: Floor, handler: Handler, lease_seconds: float = 60.0) -> Worker:
    return Worker(floor.jobs, {JobKind.REINDEX: handler}, "test", lease_seconds, poll_seconds=0.01)


def _wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_result_of_the_handler_ends_the_job(floor: Floor) -> None:
    job = floor.jobs.enqueue(JobKind.REINDEX, {})

    def handler(job: Job, context: JobContext) -> Mapping[str, Any]:
        context.report(3, 3)
        return {"passages": 3}

    worker = _worker(floor, handler)
    assert worker.run_once()
    assert not worker.run_once()
    finished = floor.jobs.get(job.job_id)
    assert (finished.status, finished.result, finished.done) == (JobStatus.SUCCEEDED, {"passages": 3}, 3)


def test_known_error_fails_the_job_with_detail_and_remedy(floor: Floor) -> None:
    def handler(job: Job, context: JobContext) -> None:
        raise ModelMissing("No model.", "Install one.")

    job = floor.jobs.enqueue(JobKind.REINDEX, {})
    _worker(floor, handler).run_once()
    assert floor.jobs.get(job.job_id).error == "No model. Install one."


def test_defect_in_a_handler_is_logged_and_the_next_job_runs(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def handler(job: Job, context: JobContext) -> Mapping[str, Any]:
        seen.append(job.job_id)
        if len(seen) == 1:
            raise KeyError("secret customer words")
        return {}

    first, second = (floor.jobs.enqueue(JobKind.REINDEX, {}) for _ in range(2))
    worker = _worker(floor, handler)
    with caplog.at_level(logging.ERROR):
        worker.run_once()
    worker.run_once()
    error = floor.jobs.get(first.job_id).error
    assert error is not None
    assert "KeyError" in error
    assert "secret" not in error
    assert any(record.exc_info for record in caplog.records)
    assert floor.jobs.get(second.job_id).status is JobStatus.SUCCEEDED


def test_heartbeat_keeps_a_job_that_outlasts_its_lease(floor: Floor) -> None:
    def handler(job: Job, context: JobContext) -> Mapping[str, Any]:
        time.sleep(1.5)
        context.report(1, 1)
        return {"by": job.fence}

    job = floor.jobs.enqueue(JobKind.REINDEX, {})
    working = threading.Thread(target=_worker(floor, handler, lease_seconds=0.6).run_once)
    working.start()
    while working.is_alive():
        assert floor.jobs.claim([JobKind.INGEST], "nobody") is None
        running = floor.jobs.get(job.job_id).status is JobStatus.RUNNING
        assert not running or floor.jobs.claim([JobKind.REINDEX], "thief") is None
        time.sleep(0.05)
    assert floor.jobs.get(job.job_id).result == {"by": 1}


def test_zombie_learns_that_its_lease_is_lost_and_writes_nothing(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    taken = threading.Event()

    def handler(job: Job, context: JobContext) -> Mapping[str, Any]:
        if job.fence == 1:
            floor.jobs.release(job.job_id, job.fence)  # as if the lease had run out while the process was frozen
            floor.jobs.claim([JobKind.REINDEX], "other")
            taken.set()
            context.lease_lost.wait(10)
            context.report(1, 2)
        return {"by": "zombie"}

    job = floor.jobs.enqueue(JobKind.REINDEX, {})
    with caplog.at_level(logging.WARNING):
        _worker(floor, handler, lease_seconds=0.3).run_once()
    assert taken.is_set()
    current = floor.jobs.get(job.job_id)
    assert (current.status, current.fence, current.result) == (JobStatus.RUNNING, 2, None)
    assert "lease_lost" in caplog.messages


def test_stop_gives_the_running_job_back_without_counting_the_attempt(floor: Floor) -> None:
    started = threading.Event()

    def handler(job: Job, context: JobContext) -> Mapping[str, Any]:
        for done in range(10_000):
            context.report(done, 10_000)
            started.set()
            time.sleep(0.01)
        return {}

    job = floor.jobs.enqueue(JobKind.REINDEX, {})
    stop = threading.Event()
    working = threading.Thread(target=_worker(floor, handler).run, args=(stop,))
    working.start()
    assert started.wait(10)
    stop.set()
    working.join(10)
    assert not working.is_alive()
    current = floor.jobs.get(job.job_id)
    assert (current.status, current.attempts) == (JobStatus.QUEUED, 0)


def test_loop_survives_a_busy_database(floor: Floor) -> None:
    tries: list[int] = []

    def handler(job: Job, context: JobContext) -> Mapping[str, Any]:
        tries.append(job.fence)
        if len(tries) < 3:
            raise StorageBusy("The database is locked.", "Try again.")
        return {}

    job = floor.jobs.enqueue(JobKind.REINDEX, {})
    stop = threading.Event()
    working = threading.Thread(target=_worker(floor, handler).run, args=(stop,))
    working.start()
    _wait(lambda: floor.jobs.get(job.job_id).status is JobStatus.SUCCEEDED)
    stop.set()
    working.join(10)
    assert tries == [1, 2, 3]


def test_handler_that_ended_its_job_and_then_fails_changes_nothing(floor: Floor) -> None:
    def handler(job: Job, context: JobContext) -> None:
        floor.jobs.succeed(job.job_id, job.fence, {"done": True})
        raise ModelMissing("No model.", "Install one.")

    job = floor.jobs.enqueue(JobKind.REINDEX, {})
    _worker(floor, handler).run_once()
    assert floor.jobs.get(job.job_id).status is JobStatus.SUCCEEDED


def test_report_after_the_lease_is_lost_raises(floor: Floor) -> None:
    floor.jobs.enqueue(JobKind.REINDEX, {})
    job = floor.jobs.claim([JobKind.REINDEX], "test")
    assert job is not None
    context = JobContext(floor.jobs, job, threading.Event())
    context.lease_lost.set()
    with pytest.raises(LeaseLost):
        context.report(1, 2)


def test_upkeep_runs_before_the_first_job_and_queues_what_the_worker_then_does(floor: Floor) -> None:
    stop = threading.Event()
    looks: list[float] = []

    def look() -> None:
        looks.append(time.monotonic())
        floor.jobs.enqueue(JobKind.REINDEX, {}, singleton=True)

    def handler(job: Job, context: JobContext) -> Mapping[str, Any]:
        stop.set()
        return {}

    worker = Worker(floor.jobs, {JobKind.REINDEX: handler}, "test", poll_seconds=0.01, upkeep=look)
    worker.run(stop)
    assert len(looks) == 1  # not at every turn of the loop


def test_upkeep_that_meets_a_busy_database_does_not_end_the_worker(floor: Floor) -> None:
    stop = threading.Event()

    def look() -> None:
        stop.set()
        raise StorageBusy("Busy.", "Wait.")

    Worker(floor.jobs, {}, "test", poll_seconds=0.01, upkeep=look).run(stop)
