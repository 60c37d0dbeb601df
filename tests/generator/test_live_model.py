"""A promoted model answers without a restart, and one that cannot be used changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.errors import ModelMissing, StorageUnreachable
from domain.models import SHIPPED_MODEL_ID
from domain.protocols import LanguageModel
from generator.live_model import LiveModel, Serving
from generator.model_registry import ModelRegistry
from storage.artifacts import ArtifactStore
from storage.engine import create_database_engine, upgrade_schema
from storage.models import ModelStore
from tests.fakes import ScriptedLanguageModel
from tests.tiny_gpt2 import write_tiny_gpt2

PASSED = {"gate": {"passed": True}}


class Engine(ScriptedLanguageModel):
    """Knows whether it was closed, as an engine with threads or device memory has to be."""

    def __init__(self, name: str) -> None:
        super().__init__(["yes"])
        self._name = name
        self.closed = threading.Event()

    @property
    def name(self) -> str:
        return self._name

    def close(self) -> None:
        self.closed.set()


class Engines:
    """Loads an ``Engine`` for each folder, unless its name is in ``broken``."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.loaded: list[Engine] = []

    def __call__(self, folder: Path | None) -> LanguageModel:
        name = folder.name if folder else SHIPPED_MODEL_ID
        if name in self.broken:
            raise ModelMissing(f"{name} is broken.", "Mend it.")
        self.loaded.append(Engine(name))
        return self.loaded[-1]


class TalkingAgent:
    """A turn of it says two things, the second by its model."""

    def __init__(self, model: LanguageModel | None) -> None:
        self._model = model

    def answer(self, question: str) -> Iterator[str]:
        yield question
        yield self._model.name if self._model else "a quote"


class Unreachable(ModelStore):
    """A store whose database goes away and comes back."""

    is_away = False

    def live(self):  # type: ignore[no-untyped-def]  # as the parent
        if self.is_away:
            raise StorageUnreachable("The database cannot be reached.", "Start it.")
        return super().live()


class House:
    def __init__(self, folder: Path, trained: Path) -> None:
        self._trained = trained
        self._database = create_database_engine(f"sqlite:///{folder / 'answerdesk.db'}")
        upgrade_schema(self._database)
        self.store = Unreachable(self._database)
        self.engines = Engines()
        self.registry_folder = folder / "registry"
        self.registry = ModelRegistry(self.store, ArtifactStore(self.registry_folder), self.engines)
        self.live = self.new_process()

    def new_process(self, **seconds: float) -> LiveModel:
        return LiveModel(self.registry, TalkingAgent, **seconds)  # type: ignore[arg-type]  # some are ints

    def publish(self) -> str:
        return self.registry.publish(self._trained, PASSED).model_id

    def promote(self, model_id: str) -> None:
        self.store.promote(model_id, expected_live=self.store.live().model_id)

    def serving(self) -> Serving:
        assert self.live.serving is not None
        return self.live.serving

    def close(self) -> None:
        self.live.close()
        self._database.dispose()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gpt2(tmp_path_factory.mktemp("runs") / "model")


@pytest.fixture
def house(tmp_path: Path, trained: Path) -> Iterator[House]:
    house = House(tmp_path, trained)
    yield house
    house.close()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 20 s"
        time.sleep(0.01)


def test_nothing_serves_before_it_is_loaded(house: House) -> None:
    assert house.live.serving is None
    assert not house.live.refresh()


def test_the_shipped_model_serves_until_another_is_promoted(house: House) -> None:
    house.live.load()
    assert (house.serving().model_id, house.serving().problem) == (SHIPPED_MODEL_ID, None)
    model_id = house.publish()
    assert not house.live.refresh()
    house.promote(model_id)
    assert house.live.refresh()
    assert (house.serving().model_id, house.serving().live_id) == (model_id, model_id)
    assert house.serving().model is house.engines.loaded[-1]
    assert not house.live.refresh()


def test_a_new_process_begins_with_the_promoted_model(house: House) -> None:
    model_id = house.publish()
    house.promote(model_id)
    house.live.load()
    assert house.serving().model_id == model_id
    assert [engine.name for engine in house.engines.loaded] == [model_id]


def test_the_old_model_is_closed_when_the_last_turn_that_began_on_it_has_ended(house: House) -> None:
    house.live.load()
    [old] = house.engines.loaded
    turns = [house.serving().agent.answer("Hello!") for _ in range(2)]
    assert [next(turn) for turn in turns] == ["Hello!", "Hello!"]
    house.promote(house.publish())
    house.live.refresh()
    for turn in turns:
        assert not old.closed.is_set()
        assert list(turn) == [SHIPPED_MODEL_ID]
    assert old.closed.is_set()
    assert not house.engines.loaded[-1].closed.is_set()


@pytest.mark.parametrize("fault", ["tampered", "missing", "does not load"])
def test_promoted_model_that_cannot_be_used_leaves_the_live_one_answering(house: House, fault: str) -> None:
    house.live.load()
    model_id = house.publish()
    house.promote(model_id)
    weights = house.registry_folder / model_id / "model.safetensors"
    if fault == "tampered":
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    elif fault == "missing":
        weights.unlink()
    else:
        house.engines.broken.add(model_id)
    assert not house.live.refresh()
    serving = house.serving()
    assert (serving.model_id, serving.live_id) == (SHIPPED_MODEL_ID, model_id)
    assert serving.model is house.engines.loaded[0]
    assert serving.problem is not None
    assert model_id in serving.problem


def test_rolling_back_from_an_unusable_model_ends_the_problem_without_loading_again(house: House) -> None:
    house.live.load()
    agent = house.serving().agent
    model_id = house.publish()
    house.engines.broken.add(model_id)
    house.promote(model_id)
    house.live.refresh()
    house.promote(SHIPPED_MODEL_ID)
    house.live.refresh()
    assert (house.serving().problem, house.serving().agent) == (None, agent)
    assert len(house.engines.loaded) == 1


def test_unusable_model_is_tried_again_after_a_while_and_not_before(house: House) -> None:
    house.live = house.new_process(retry_seconds=0.3)
    house.live.load()
    model_id = house.publish()
    house.engines.broken.add(model_id)
    house.promote(model_id)
    house.live.refresh()
    house.engines.broken.clear()
    assert not house.live.refresh()
    time.sleep(0.3)
    assert house.live.refresh()
    assert (house.serving().model_id, house.serving().problem) == (model_id, None)


def test_a_process_that_starts_with_an_unusable_model_takes_the_one_before(house: House) -> None:
    first, second = house.publish(), house.publish()
    house.promote(first)
    house.promote(second)
    house.engines.broken.add(second)
    house.live.load()
    assert (house.serving().live_id, house.serving().model_id) == (second, first)
    assert second in (house.serving().problem or "")


def test_without_any_usable_model_there_is_an_agent_that_quotes_and_a_reason(house: House) -> None:
    house.engines.broken.add(SHIPPED_MODEL_ID)
    house.live.load()
    assert house.serving().model is None
    assert "broken" in (house.serving().problem or "")
    assert list(house.serving().agent.answer("Hello!")) == ["Hello!", "a quote"]
    house.promote(house.publish())
    assert house.live.refresh()
    assert (house.serving().model is not None, house.serving().problem) == (True, None)


def test_following_picks_up_a_promotion_by_itself_and_stops_when_closed(house: House) -> None:
    house.live = house.new_process(check_seconds=0.02)
    house.live.load()
    house.live.follow()
    model_id = house.publish()
    house.promote(model_id)
    _wait_until(lambda: house.serving().model_id == model_id)
    house.live.close()
    assert "live-model" not in {thread.name for thread in threading.enumerate()}
    assert house.engines.loaded[-1].closed.is_set()


def test_following_survives_a_database_that_goes_away(house: House) -> None:
    house.live = house.new_process(check_seconds=0.02)
    house.live.load()
    house.live.follow()
    house.store.is_away = True
    time.sleep(0.2)
    assert house.serving().problem is None
    house.store.is_away = False
    model_id = house.publish()
    house.promote(model_id)
    _wait_until(lambda: house.serving().model_id == model_id)


def test_looking_now_does_not_wait_for_the_pause_to_end(house: House) -> None:
    house.live = house.new_process(check_seconds=3600)
    house.live.load()
    house.live.follow()
    model_id = house.publish()
    house.promote(model_id)
    house.live.look_now()
    _wait_until(lambda: house.serving().model_id == model_id)
