"""Leases, fences and the limit on attempts."""

from __future__ import annotations

import json
import threading
import time

import pytest
from sqlalchemy import Engine, text

from domain.documents import DocumentStatus
from domain.errors import AlreadyRunning, JobNotFound, LeaseLost
from domain.jobs import JobKind, JobStatus
from storage.documents import DocumentStore
from storage.jobs import MAX_ATTEMPTS, JobStore
from tests.storage.builders import claim, upload


def test_jobs_are_claimed_oldest_first_and_by_kind(jobs: JobStore) -> None:
    first = jobs.enqueue(JobKind.INGEST, {"n": 1})
    jobs.enqueue(JobKind.REINDEX, {})
    second = jobs.enqueue(JobKind.INGEST, {"n": 2})
    claimed = claim(jobs)
    assert (claimed.job_id, claimed.payload) == (first.job_id, {"n": 1})
    assert (claimed.status, claimed.fence, claimed.attempts) == (JobStatus.RUNNING, 1, 1)
    assert claim(jobs).job_id == second.job_id
    assert jobs.claim([JobKind.INGEST], "worker") is None
    assert jobs.count_queued() == 1


def test_an_expired_lease_is_claimed_again_under_a_higher_fence(jobs: JobStore) -> None:
    jobs.enqueue(JobKind.INGEST, {})
    stale = claim(jobs, "first")
    assert jobs.claim([JobKind.INGEST], "second") is None
    jobs.heartbeat(stale.job_id, stale.fence, lease_seconds=0.05)
    time.sleep(0.1)
    current = claim(jobs, "second")
    assert (current.job_id, current.fence, current.attempts) == (stale.job_id, stale.fence + 1, 2)


def test_a_heartbeat_keeps_the_job(jobs: JobStore) -> None:
    job = jobs.enqueue(JobKind.INGEST, {})
    fence = claim(jobs, lease_seconds=-1).fence
    jobs.heartbeat(job.job_id, fence, 60)
    assert jobs.claim([JobKind.INGEST], "thief") is None


def test_every_write_under_a_stale_fence_is_refused(jobs: JobStore) -> None:
    job = jobs.enqueue(JobKind.INGEST, {})
    stale = claim(jobs, lease_seconds=-1)
    current = claim(jobs)
    writes = (
        lambda fence: jobs.heartbeat(job.job_id, fence, 60),
        lambda fence: jobs.report_progress(job.job_id, fence, 1, 2),
        lambda fence: jobs.succeed(job.job_id, fence, {}),
        lambda fence: jobs.fail(job.job_id, fence, "no"),
        lambda fence: jobs.release(job.job_id, fence),
    )
    for write in writes:
        with pytest.raises(LeaseLost):
            write(stale.fence)
    jobs.succeed(job.job_id, current.fence, {})
    for write in writes:  # a finished job takes no more writes either, nor does an unknown one
        with pytest.raises(LeaseLost):
            write(current.fence)
    with pytest.raises(LeaseLost):
        jobs.heartbeat("missing", 1, 60)


def test_progress_and_result_are_kept(jobs: JobStore) -> None:
    job = jobs.enqueue(JobKind.REINDEX, {"full": True})
    claimed = jobs.claim([JobKind.REINDEX], "worker")
    assert claimed is not None
    jobs.report_progress(job.job_id, claimed.fence, 3, 10)
    assert (jobs.get(job.job_id).done, jobs.get(job.job_id).total) == (3, 10)
    jobs.succeed(job.job_id, claimed.fence, {"generation": "g1"})
    done = jobs.get(job.job_id)
    assert (done.status, done.result, done.error) == (JobStatus.SUCCEEDED, {"generation": "g1"}, None)


def test_a_failed_ingest_job_fails_its_document(jobs: JobStore, documents: DocumentStore) -> None:
    document, _ = upload(documents)
    job = claim(jobs)
    jobs.fail(job.job_id, job.fence, "The parser broke.")
    assert (jobs.get(job.job_id).status, jobs.get(job.job_id).error) == (JobStatus.FAILED, "The parser broke.")
    failed = documents.get(document.document_id)
    assert (failed.status, failed.reason) == (DocumentStatus.FAILED, "The parser broke.")


def test_a_job_that_fails_after_its_document_was_deleted_does_not_revive_it(
    jobs: JobStore, documents: DocumentStore
) -> None:
    document = documents.delete(upload(documents)[0].document_id)
    jobs.enqueue(JobKind.INGEST, {"document_id": document.document_id})
    job = claim(jobs)
    jobs.fail(job.job_id, job.fence, "Too late.")
    assert documents.get(document.document_id) == document


def test_a_released_job_waits_again_and_the_attempt_does_not_count(jobs: JobStore, documents: DocumentStore) -> None:
    document, _ = upload(documents)
    for _ in range(MAX_ATTEMPTS + 2):
        job = claim(jobs)
        documents.begin_parsing(job.job_id, job.fence, document.document_id)
        jobs.release(job.job_id, job.fence)
    assert jobs.get(job.job_id).status is JobStatus.QUEUED
    assert documents.get(document.document_id).status is DocumentStatus.QUEUED


def test_a_job_that_keeps_killing_its_worker_fails_with_its_document(jobs: JobStore, documents: DocumentStore) -> None:
    document, job = upload(documents)
    assert job is not None
    healthy = jobs.enqueue(JobKind.INGEST, {})
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert claim(jobs, lease_seconds=-1).attempts == attempt
    assert claim(jobs).job_id == healthy.job_id
    given_up = jobs.get(job.job_id)
    assert given_up.status is JobStatus.FAILED
    assert f"stopped unexpectedly {MAX_ATTEMPTS} times" in str(given_up.error)
    assert documents.get(document.document_id).status is DocumentStatus.FAILED
    assert documents.get(document.document_id).reason == given_up.error


def test_a_second_singleton_is_refused_with_the_running_id(jobs: JobStore) -> None:
    running = jobs.enqueue(JobKind.REINDEX, {}, singleton=True)
    jobs.enqueue(JobKind.INGEST, {}, singleton=True)
    with pytest.raises(AlreadyRunning) as caught:
        jobs.enqueue(JobKind.REINDEX, {}, singleton=True)
    assert caught.value.running_id == running.job_id
    claimed = jobs.claim([JobKind.REINDEX], "worker")
    assert claimed is not None
    with pytest.raises(AlreadyRunning):
        jobs.enqueue(JobKind.REINDEX, {}, singleton=True)
    jobs.succeed(claimed.job_id, claimed.fence, {})
    jobs.enqueue(JobKind.REINDEX, {}, singleton=True)


def test_twenty_singletons_at_once_are_one_job(jobs: JobStore) -> None:
    refused: list[str] = []

    def enqueue() -> None:
        try:
            jobs.enqueue(JobKind.REINDEX, {}, singleton=True)
        except AlreadyRunning as error:
            refused.append(error.running_id)

    threads = [threading.Thread(target=enqueue) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [job] = jobs.list_jobs()
    assert refused == [job.job_id] * 19


def test_twenty_workers_at_once_give_a_day_one_job(jobs: JobStore) -> None:
    begun: list[str] = []

    def look() -> None:
        try:
            job = jobs.enqueue_daily(JobKind.REINDEX, {"full": False}, "2026-10-25")
        except AlreadyRunning:
            return
        if job is not None:
            begun.append(job.job_id)

    threads = [threading.Thread(target=look) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    assert jobs.get(begun[0]).payload == {"full": False, "day": "2026-10-25"}
    job = jobs.claim([JobKind.REINDEX], "worker")
    assert job is not None
    jobs.succeed(job.job_id, job.fence, {})
    assert jobs.enqueue_daily(JobKind.REINDEX, {}, "2026-10-25") is None
    assert jobs.enqueue_daily(JobKind.REINDEX, {}, "2026-10-26") is not None


def test_singleton_of_a_killed_worker_is_queued_again_and_its_zombie_refused(jobs: JobStore) -> None:
    jobs.enqueue(JobKind.REINDEX, {}, singleton=True)
    zombie = jobs.claim([JobKind.REINDEX], "killed", lease_seconds=-1.0)
    assert zombie is not None
    with pytest.raises(AlreadyRunning):
        jobs.enqueue(JobKind.REINDEX, {}, singleton=True)
    assert jobs.get(zombie.job_id).status is JobStatus.QUEUED
    with pytest.raises(LeaseLost):
        jobs.succeed(zombie.job_id, zombie.fence, {})
    with pytest.raises(LeaseLost):
        jobs.heartbeat(zombie.job_id, zombie.fence)


def test_twenty_workers_claim_fifty_jobs_exactly_once(jobs: JobStore) -> None:
    queued = {jobs.enqueue(JobKind.INGEST, {"n": number}).job_id for number in range(50)}
    claimed: list[str] = []

    def work() -> None:
        while job := jobs.claim([JobKind.INGEST], threading.current_thread().name):
            claimed.append(job.job_id)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 50
    assert set(claimed) == queued


def test_lists_are_newest_first(jobs: JobStore) -> None:
    first = jobs.enqueue(JobKind.INGEST, {})
    second = jobs.enqueue(JobKind.INGEST, {})
    other = jobs.enqueue(JobKind.REINDEX, {})
    assert [job.job_id for job in jobs.list_jobs()] == [other.job_id, second.job_id, first.job_id]
    assert [job.job_id for job in jobs.list_jobs(JobKind.INGEST, limit=1)] == [second.job_id]


def test_payloads_are_plain_json_in_the_database(jobs: JobStore, engine: Engine) -> None:
    jobs.enqueue(JobKind.INGEST, {"name": "Größe", "n": 1})
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT CAST(payload AS TEXT) FROM jobs")).scalar_one()
    assert json.loads(stored) == {"name": "Größe", "n": 1}


def test_an_unknown_job_is_not_found(jobs: JobStore) -> None:
    with pytest.raises(JobNotFound):
        jobs.get("missing")
