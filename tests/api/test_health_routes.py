from __future__ import annotations

import pytest

from domain.access import AccessRole
from domain.errors import StorageUnreachable
from tests.api.conftest import Desk, OpenDesk
from tests.fakes import ScriptedLanguageModel


def test_live_as_soon_as_the_process_is(shared_desk: Desk) -> None:
    assert shared_desk.client.get("/livez").json() == {"status": "alive"}


def test_ready_tells_each_part(open_desk: OpenDesk) -> None:
    desk = open_desk(language_model=ScriptedLanguageModel([]))
    response = desk.client.get("/readyz")
    body = response.json()
    assert (response.status_code, body["status"]) == (200, "ready")
    assert body["checks"].keys() == {"database", "models", "index", "reader", "language_model", "disk", "jobs"}
    assert body["checks"]["language_model"]["name"] == "scripted"
    assert body["checks"]["jobs"]["queued"] == 0
    assert body["checks"]["disk"]["free_mb"] > 0


@pytest.mark.parametrize("model", [None, ScriptedLanguageModel([], is_grounded=False)])
def test_degraded_but_ready_while_passages_are_quoted_instead(open_desk: OpenDesk, model: object) -> None:
    response = open_desk(language_model=model).client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["language_model"]["fallback"] == "passages are quoted"


def test_degraded_but_ready_while_words_and_vectors_choose_the_evidence(open_desk: OpenDesk) -> None:
    desk = open_desk(language_model=ScriptedLanguageModel([]))
    desk.services.reader_problem = "The reader in weights cannot be loaded: it is torn."
    body = desk.client.get("/readyz").json()
    assert body["status"] == "degraded"
    assert body["checks"]["reader"]["reason"] == desk.services.reader_problem
    assert body["checks"]["reader"]["fallback"] == "words and vectors choose the evidence"


def test_callers_from_elsewhere_learn_no_reasons(open_desk: OpenDesk) -> None:
    checks = open_desk(address="203.0.113.9").client.get("/readyz").json()["checks"]
    assert all(check.keys() == {"status"} for check in checks.values())


def test_unusable_database_is_503_while_the_process_lives(desk: Desk) -> None:
    desk.services.engine.dispose()
    data = desk.services.settings.data_dir
    moved = data.with_name("away")
    data.rename(moved)
    try:
        ready = desk.client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"]["status"] == "unavailable"
        assert desk.client.get("/livez").status_code == 200
        assert desk.customer("GET", "/v1/models").status_code == 503
    finally:
        moved.rename(data)
    assert desk.customer("GET", "/v1/models").status_code == 200


def test_metrics_count_requests_by_route_template(shared_desk: Desk) -> None:
    shared_desk.customer("GET", "/v1/documents/0199-secret-looking-id/text")
    text = shared_desk.client.get("/metrics").text
    line = 'answerdesk_requests_total{method="GET",route="/v1/documents/{document_id}/text",status="404"} 1.0'
    assert line in text
    assert "secret" not in text
    assert 'answerdesk_fact{name="documents"} 0.0' in text


def test_metrics_of_the_process_outlive_the_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> int:
        raise StorageUnreachable("The database cannot be reached.", "Start it.")

    assert 'answerdesk_fact{name="documents"}' in desk.client.get("/metrics").text
    monkeypatch.setattr(desk.services.jobs, "count_queued", gone)
    text = desk.client.get("/metrics").text
    assert "answerdesk_requests_total" in text
    assert "answerdesk_fact{" not in text


def test_metrics_elsewhere_need_an_admin_key_or_the_token(open_desk: OpenDesk) -> None:
    desk = open_desk(host="0.0.0.0", address="203.0.113.9", metrics_token="scrape-me-please")
    expected = {None: 401, AccessRole.CUSTOMER: 403, AccessRole.STAFF: 403, AccessRole.ADMIN: 200}
    assert {role: desk.call(role, "GET", "/metrics").status_code for role in expected} == expected
    token = {"Authorization": "Bearer scrape-me-please"}
    assert desk.client.get("/metrics", headers=token).status_code == 200
    assert desk.client.get("/v1/models", headers=token).status_code == 401
