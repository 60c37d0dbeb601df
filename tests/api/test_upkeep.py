"""The schedule with an injected clock, on a real ledger of jobs; two workers look at it in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from api.bootstrap import Services
from api.doctor import examine
from api.upkeep import USUAL, Upkeep, due, parse_nightly, request_rebuild
from domain.documents import PASSAGE_FORMAT
from domain.errors import AlreadyRunning
from domain.jobs import Job, JobKind, JobStatus
from storage.tables import document_versions
from storage.transactions import writing
from tests.api.conftest import FAQ, RETURNS, Desk, OpenDesk

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)  # a 23 h and a 25 h day


class Clock:
    """UTC that the test moves; the upkeep is shown the clock on a wall in Berlin."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment.astimezone(BERLIN)


def _upkeeps(services: Services, at: str, clock: Clock, count: int = 2) -> list[Upkeep]:
    return [Upkeep(services.jobs, services.retriever, parse_nightly(at), clock) for _ in range(count)]


def _nightly(services: Services) -> list[Job]:
    return [job for job in services.jobs.list_jobs(JobKind.REINDEX, limit=1000) if "day" in job.payload]


def _days(first: datetime, minutes: int, jumps: dict[int, timedelta]) -> Iterator[datetime]:
    """Every minute from ``first`` on; ``jumps`` moves the clock at a minute's number."""
    moment = first
    for minute in range(minutes):
        moment += jumps.get(minute, timedelta())
        yield moment
        moment += timedelta(minutes=1)


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
@pytest.mark.parametrize("at", ["03:00", "02:30", "00:00", "23:59"])
@pytest.mark.parametrize(
    "jumps", [{}, {905: timedelta(hours=-1)}, {905: timedelta(hours=1)}, {700: timedelta(hours=-1)}]
)
def test_wall_clock_gives_every_local_date_one_run(start: datetime, at: str, jumps: dict[int, timedelta]) -> None:
    begun: Counter[date] = Counter()
    seen: set[date] = set()
    for moment in _days(start, 3 * 24 * 60, jumps):
        local = moment.astimezone(BERLIN)
        day = due(local, time.fromisoformat(at))
        if day is not None and day not in begun:  # what the ledger answers
            begun[day] += 1
        seen.add(local.date())
    whole_days = sorted(seen)[1:-1]
    assert all(begun[day] == 1 for day in whole_days)


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_two_workers_and_a_restart_queue_one_job_a_local_date(desk: Desk, start: datetime) -> None:
    services, clock = desk.services, Clock(start)
    upkeeps = _upkeeps(services, "02:30", clock)
    for hour in range(72):
        clock.moment = start + timedelta(hours=hour)
        if hour % 7 == 0:
            upkeeps = _upkeeps(services, "02:30", clock)  # restarted: it remembers nothing
        for upkeep in upkeeps:
            upkeep()
        desk.work()
    days = sorted(str(job.payload["day"]) for job in _nightly(services))
    first = start.astimezone(BERLIN).date()
    assert days == [(first + timedelta(days=n)).isoformat() for n in range(4)]
    assert all(job.status is JobStatus.SUCCEEDED for job in _nightly(services))


def test_machine_that_slept_through_the_hour_runs_once_when_it_wakes(desk: Desk) -> None:
    clock = Clock(datetime(2026, 6, 1, 20, tzinfo=UTC))
    [upkeep] = _upkeeps(desk.services, "03:00", clock, 1)
    upkeep()
    desk.work()
    clock.moment = datetime(2026, 6, 5, 7, tzinfo=UTC)  # four nights later
    for _ in range(3):
        upkeep()
        desk.work()
    assert [job.payload["day"] for job in _nightly(desk.services)] == ["2026-06-05", "2026-06-01"]


def test_nightly_run_builds_only_when_something_changed(desk: Desk) -> None:
    desk.ingest(("returns.md", RETURNS))
    clock = Clock(datetime(2026, 6, 1, 8, tzinfo=UTC))
    [upkeep] = _upkeeps(desk.services, "03:00", clock, 1)
    built = len(desk.services.generations.list_generations())
    upkeep()
    desk.work()
    [first] = _nightly(desk.services)
    assert first.result == {"unchanged": True, "renewing": 0}
    assert len(desk.services.generations.list_generations()) == built
    desk.ingest(("faq.csv", FAQ))
    clock.moment += timedelta(days=1)
    upkeep()
    desk.work()
    second = _nightly(desk.services)[0]
    assert second.result is not None
    assert second.result["promoted"] is True
    assert second.result["embedded"] == 0  # ingest had stored every vector


def test_documents_of_an_older_program_are_cut_again_by_the_nightly_run(desk: Desk) -> None:
    [document] = desk.ingest(("returns.md", RETURNS))
    with writing(desk.services.engine) as connection:
        connection.execute(update(document_versions).values(passage_format=PASSAGE_FORMAT - 1))
    told = {finding.check: finding for finding in examine(desk.services)}["documents"]
    assert (told.level, told.finding.split()[0]) == ("warning", "1")
    [upkeep] = _upkeeps(desk.services, "03:00", Clock(SPRING), 1)
    upkeep()
    desk.work()
    renewed = desk.services.documents.get(document["document_id"])
    assert (renewed.version, renewed.status) == (2, "ready")
    assert desk.services.stale_documents.count() == 0
    found = desk.customer("POST", "/v1/search", json={"query": "send an item back"}).json()["passages"]
    assert "30 days" in found[0]["text"]


def test_doctor_tells_when_it_runs_and_how_the_last_one_ended(desk: Desk) -> None:
    def told() -> tuple[str, str]:
        [finding] = [finding for finding in examine(desk.services) if finding.check == "nightly"]
        return finding.level, finding.finding

    when = "a running worker re-indexes at 03:00 local time"
    assert told() == ("ok", when)
    [upkeep] = _upkeeps(desk.services, "03:00", Clock(SPRING), 1)
    upkeep()
    job = desk.services.jobs.claim([JobKind.REINDEX], "worker")
    assert job is not None
    assert told() == ("ok", f"{when}; last 2026-03-28, running")
    desk.services.jobs.fail(job.job_id, job.fence, "The disk is full.")
    assert told() == ("warning", f"{when}; that of 2026-03-28 failed: The disk is full.")


def test_switched_off_it_queues_nothing(desk: Desk) -> None:
    [upkeep] = _upkeeps(desk.services, "off", Clock(SPRING), 1)
    upkeep()
    assert desk.services.jobs.count_queued() == 0


def test_running_reindex_puts_the_nightly_one_off_until_it_is_through(desk: Desk) -> None:
    clock = Clock(SPRING)
    [upkeep] = _upkeeps(desk.services, "03:00", clock, 1)
    desk.services.jobs.enqueue(JobKind.REINDEX, USUAL, singleton=True)
    upkeep()
    assert _nightly(desk.services) == []
    desk.work()
    upkeep()
    assert len(_nightly(desk.services)) == 1


def test_damaged_index_queues_one_rebuild_and_readiness_says_degraded_until_it_is_done(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk()
    desk.ingest(("returns.md", RETURNS))
    first = desk.services.generations.live()
    job_id = desk.staff("POST", "/v1/reindex", json={}).json()["job"]["job_id"]
    desk.work()
    live = desk.services.generations.live()
    assert first is not None
    assert live is not None
    assert live.generation_id != first.generation_id
    (desk.services.settings.data_dir / "generations" / live.generation_id / "dense.faiss").write_bytes(b"")
    restarted = open_desk()
    check = restarted.client.get("/readyz").json()["checks"]["index"]
    assert (check["status"], check["generation"]) == ("degraded", first.generation_id)
    assert "dense.faiss" in check["degraded"]
    again = open_desk()  # another process meets the same damage
    for upkeep in _upkeeps(again.services, "off", Clock(SPRING)):
        upkeep()
    waiting = [job for job in again.services.jobs.list_jobs(JobKind.REINDEX) if job.status is JobStatus.QUEUED]
    assert len(waiting) == 1
    assert waiting[0].job_id != job_id
    again.work()
    restarted.customer("POST", "/v1/search", json={"query": "item"})
    restarted.services.retriever.load()
    assert restarted.client.get("/readyz").json()["checks"]["index"]["status"] == "ready"
    assert again.services.jobs.count_queued() == 0


def test_rebuild_that_failed_is_not_tried_again_at_once(desk: Desk) -> None:
    request_rebuild(desk.services.jobs)
    job = desk.services.jobs.claim([JobKind.REINDEX], "worker")
    assert job is not None
    desk.services.jobs.fail(job.job_id, job.fence, "The disk is full.")
    request_rebuild(desk.services.jobs)
    assert desk.services.jobs.count_queued() == 0


def test_index_that_always_looks_damaged_is_not_rebuilt_without_end(desk: Desk) -> None:
    queued = 0
    for _ in range(20):
        request_rebuild(desk.services.jobs)
        queued += desk.services.jobs.count_queued()
        desk.work()
    assert queued == 6


def test_killed_reindex_does_not_refuse_the_next_one_for_ever(desk: Desk) -> None:
    jobs = desk.services.jobs
    job_id = jobs.enqueue(JobKind.REINDEX, USUAL, singleton=True).job_id
    killed = jobs.claim([JobKind.REINDEX], "killed", lease_seconds=-1.0)
    assert killed is not None
    with pytest.raises(AlreadyRunning) as refused:
        jobs.enqueue(JobKind.REINDEX, USUAL, singleton=True)
    assert refused.value.running_id == job_id
    assert jobs.get(job_id).status is JobStatus.QUEUED  # whoever is refused may carry it out
    desk.work()
    assert jobs.get(job_id).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("setting", ["3:00", "24:00", "03:60", "noon", ""])
def test_odd_times_are_refused_at_start(setting: str) -> None:
    from api.settings import Settings

    with pytest.raises(ValueError, match="nightly_at"):
        Settings(nightly_at=setting)
