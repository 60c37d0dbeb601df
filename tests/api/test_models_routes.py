"""The model registry over HTTP, and a running server that changes its model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from domain.models import SHIPPED_MODEL_ID
from tests.api.conftest import RETURNS, Desk, OpenDesk
from tests.fakes import ScriptedLanguageModel
from tests.tiny_gpt2 import write_tiny_gpt2

QUESTION = "Within how many days of delivery can you send an item back?"
PASSED = {"recipe": "faq", "base_model": SHIPPED_MODEL_ID, "gate": {"passed": True, "reasons": []}}
FAILED = {"gate": {"passed": False, "reasons": ["support (0.990 to 0.700) falls by more than 0.005."]}}


class HeldModel(ScriptedLanguageModel):
    """Waits for ``gate`` before it says anything."""

    def __init__(self) -> None:
        super().__init__(["You can send an item back within 30 days of delivery. [1]\n"])
        self.started, self.gate, self.closed = threading.Event(), threading.Event(), threading.Event()

    def generate(self, prompt: str, max_new_tokens: int) -> Iterator[str]:
        self._wait()
        yield from super().generate(prompt, max_new_tokens)

    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        self._wait()
        return super().score(prompt, continuations)

    def close(self) -> None:
        self.closed.set()

    def _wait(self) -> None:
        self.started.set()
        assert self.gate.wait(60)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gpt2(tmp_path_factory.mktemp("runs") / "model")


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 60 s"
        time.sleep(0.05)


def _check(desk: Desk) -> dict[str, object]:
    check: dict[str, object] = desk.client.get("/readyz").json()["checks"]["language_model"]
    return check


def _model_of_an_answer(desk: Desk) -> object:
    path = f"/v1/conversations/{desk.conversation()}/messages"
    answer = desk.customer("POST", path, json={"content": QUESTION}).json()
    return desk.services.conversations.receipt(answer["answer_id"])["model"]


def test_a_promoted_model_answers_without_a_restart_and_rolling_back_ends_it(
    open_desk: OpenDesk, trained: Path
) -> None:
    desk = open_desk(language_model=ScriptedLanguageModel(["[0]"] * 9))
    desk.ingest(("returns.md", RETURNS))
    assert _model_of_an_answer(desk) == "scripted"
    model_id = desk.services.publish_model(trained, PASSED).model_id
    promoted = desk.staff("POST", f"/v1/registry/models/{model_id}/promote")
    assert (promoted.status_code, promoted.json()["is_live"]) == (200, True)
    _wait_until(lambda: _check(desk).get("name") == model_id)
    assert _model_of_an_answer(desk) == model_id
    listed = desk.staff("GET", "/v1/registry/models").json()
    assert (listed["live"], listed["answering"], listed["problem"]) == (model_id, model_id, None)
    assert [(row["model_id"], row["is_live"], row["recipe"]) for row in listed["models"]] == [
        (model_id, True, "faq"),
        (SHIPPED_MODEL_ID, False, None),
    ]
    assert desk.staff("POST", "/v1/registry/rollback").json()["model_id"] == SHIPPED_MODEL_ID
    _wait_until(lambda: _check(desk).get("name") == "scripted")
    assert _model_of_an_answer(desk) == "scripted"


def test_a_turn_in_progress_ends_on_its_model_which_is_closed_after_it(open_desk: OpenDesk, trained: Path) -> None:
    old = HeldModel()
    desk = open_desk(language_model=old)
    desk.ingest(("returns.md", RETURNS))
    models: list[object] = []
    turn = threading.Thread(target=lambda: models.append(_model_of_an_answer(desk)))
    turn.start()
    assert old.started.wait(60)
    model_id = desk.services.publish_model(trained, PASSED).model_id
    desk.staff("POST", f"/v1/registry/models/{model_id}/promote")
    _wait_until(lambda: _check(desk).get("name") == model_id)
    assert _model_of_an_answer(desk) == model_id
    assert not old.closed.is_set()
    old.gate.set()
    turn.join(60)
    assert models == ["scripted"]
    _wait_until(old.closed.is_set)


def test_model_damaged_after_its_promotion_leaves_the_live_one_and_ready_tells_why(
    open_desk: OpenDesk, trained: Path
) -> None:
    desk = open_desk(language_model=ScriptedLanguageModel([]))
    services = desk.services
    model_id = services.publish_model(trained, PASSED).model_id
    weights = services.settings.data_dir / "registry" / model_id / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    refused = desk.staff("POST", f"/v1/registry/models/{model_id}/promote")
    assert (refused.status_code, refused.json()["title"]) == (500, "Artifact corrupt")
    assert services.models.live().is_shipped
    # As if the folder had been damaged between the promotion and the look of another process.
    services.models._models.promote(model_id, expected_live=SHIPPED_MODEL_ID)
    services.live_model.look_now()
    _wait_until(lambda: _check(desk)["status"] == "degraded")
    check = _check(desk)
    assert (check["name"], check["fallback"]) == ("scripted", f"{SHIPPED_MODEL_ID} answers")
    assert "model.safetensors" in str(check["reason"])
    listed = desk.staff("GET", "/v1/registry/models").json()
    assert (listed["live"], listed["answering"]) == (model_id, SHIPPED_MODEL_ID)
    assert "model.safetensors" in listed["problem"]


def test_model_that_failed_its_gate_is_409_with_the_reasons_unless_forced(open_desk: OpenDesk, trained: Path) -> None:
    desk = open_desk(language_model=ScriptedLanguageModel([]))
    model_id = desk.services.publish_model(trained, FAILED).model_id
    refused = desk.staff("POST", f"/v1/registry/models/{model_id}/promote", json={"force": False})
    assert (refused.status_code, refused.json()["title"]) == (409, "Gate failed")
    assert "support (0.990 to 0.700)" in refused.json()["detail"]
    forced = desk.staff("POST", f"/v1/registry/models/{model_id}/promote", json={"force": True})
    assert (forced.json()["is_live"], forced.json()["passed_gate"]) == (True, False)


def test_unknown_model_and_rollback_with_nothing_before_are_404(shared_desk: Desk) -> None:
    assert shared_desk.staff("POST", "/v1/registry/models/model-nothing/promote").status_code == 404
    assert shared_desk.staff("POST", "/v1/registry/rollback").status_code == 404


def test_without_a_usable_model_the_list_says_that_nothing_composes(shared_desk: Desk) -> None:
    listed = shared_desk.staff("GET", "/v1/registry/models").json()
    assert (listed["live"], listed["answering"]) == (SHIPPED_MODEL_ID, None)
    assert "no-model" in listed["problem"]
