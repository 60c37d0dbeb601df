from __future__ import annotations

import pytest

from tests.api.conftest import RETURNS, Desk


def test_reindex_runs_once_at_a_time_and_tells_the_running_id(desk: Desk) -> None:
    started = desk.staff("POST", "/v1/reindex", json={"full": True})
    assert started.status_code == 202
    job = started.json()["job"]
    assert (job["kind"], job["status"]) == ("reindex", "queued")
    second = desk.staff("POST", "/v1/reindex")
    assert second.status_code == 409
    assert second.json()["running_id"] == job["job_id"]


def test_reindex_builds_a_generation_that_serves_and_can_be_rolled_back_to(desk: Desk) -> None:
    desk.ingest(("returns.md", RETURNS))
    before = desk.staff("GET", "/v1/generations").json()["live"]
    job_id = desk.staff("POST", "/v1/reindex", json={}).json()["job"]["job_id"]
    desk.work()
    job = desk.staff("GET", f"/v1/reindex/{job_id}").json()["job"]
    assert (job["status"], job["error"]) == ("succeeded", None)
    listed = desk.staff("GET", "/v1/generations").json()
    assert listed["live"] not in (None, before)
    assert listed["nightly_at"] == "03:00"
    assert desk.customer("POST", "/v1/search", json={"query": "item"}).json()["generation"] == listed["live"]
    first = listed["generations"][-1]["generation_id"]
    promoted = desk.staff("POST", f"/v1/generations/{first}/promote")
    assert promoted.status_code == 200
    assert promoted.json()["is_live"] is True
    assert desk.staff("GET", "/v1/generations").json()["live"] == first


def test_unknown_generation_job_and_foreign_job_kind_are_404(desk: Desk) -> None:
    assert desk.staff("POST", "/v1/generations/0199-nothing/promote").status_code == 404
    assert desk.staff("GET", "/v1/reindex/0199-nothing").status_code == 404
    [entry] = desk.upload(("returns.md", RETURNS)).json()["documents"]
    assert desk.staff("GET", f"/v1/reindex/{entry['job']['job_id']}").status_code == 404


@pytest.mark.parametrize("body", [{"full": "maybe"}, {"force": True}, []])
def test_bad_reindex_request_is_422_and_queues_nothing(shared_desk: Desk, body: object) -> None:
    assert shared_desk.staff("POST", "/v1/reindex", json=body).status_code == 422
    assert shared_desk.services.jobs.count_queued() == 0
