"""From a trained folder to the model that answers, and what must not happen on the way."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from domain.errors import (
    ArtifactCorrupt,
    GateFailed,
    ModelMissing,
    ModelNotFound,
    ModelUnsuitable,
    PromotionConflict,
    StorageFull,
)
from domain.models import SHIPPED_MODEL_ID, ModelRecord
from domain.protocols import LanguageModel
from generator.language_model import load_language_model
from generator.model_registry import KEPT_MODELS, ModelRegistry
from generator.settings import GeneratorSettings
from storage.artifacts import ArtifactStore
from storage.engine import create_database_engine, upgrade_schema
from storage.models import ModelStore
from tests.fakes import ScriptedLanguageModel
from tests.tiny_gpt2 import write_tiny_gpt2

PASSED = {"passed": True, "reasons": []}
FACTS = {"base_model": SHIPPED_MODEL_ID, "recipe": "faq", "recipe_sha256": "a" * 64, "gate": PASSED, "seed": 7}


@dataclass
class House:
    """A registry over SQLite whose models are real folders, run by whatever ``load`` is."""

    folder: Path
    engine: Engine
    models: ModelStore
    artifacts: ArtifactStore
    registry: ModelRegistry

    def publish(self, trained: Path, **changes: object) -> ModelRecord:
        return self.registry.publish(trained, FACTS | changes)

    def folders(self) -> set[str]:
        return {path.name for path in (self.folder / "registry").glob("*")}


class ScriptedModels:
    """Stands for the engines: any folder says one word."""

    def __init__(self) -> None:
        self.loaded: list[str | None] = []
        self.before: Callable[[], None] = lambda: None

    def __call__(self, folder: Path | None) -> LanguageModel:
        self.before()
        self.loaded.append(folder.name if folder else None)
        return ScriptedLanguageModel(["yes"])


def real_engine(cache: Path) -> Callable[[Path | None], LanguageModel]:
    def load(folder: Path | None) -> LanguageModel:
        return load_language_model(GeneratorSettings(model=str(folder or "")), cache, threads=1)

    return load


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gpt2(tmp_path_factory.mktemp("runs") / "model")


@pytest.fixture
def own_trained(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "own"))


@pytest.fixture
def engines() -> ScriptedModels:
    return ScriptedModels()


@pytest.fixture
def house(tmp_path: Path, engines: ScriptedModels) -> Iterator[House]:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'answerdesk.db'}")
    upgrade_schema(engine)
    models, artifacts = ModelStore(engine), ArtifactStore(tmp_path / "registry")
    yield House(tmp_path, engine, models, artifacts, ModelRegistry(models, artifacts, engines))
    engine.dispose()


def test_published_model_is_listed_with_its_facts_and_not_live(house: House, trained: Path) -> None:
    record = house.publish(trained)
    assert (record.base_model, record.recipe, record.recipe_sha256) == (SHIPPED_MODEL_ID, "faq", "a" * 64)
    assert (record.gate, record.passed_gate, record.is_live) == (PASSED, True, False)
    assert house.registry.list_models()[0] == record
    assert house.registry.live().model_id == SHIPPED_MODEL_ID
    assert house.artifacts.open(record.model_id, record.manifest_sha256).facts == FACTS


def test_published_folder_holds_what_runs_and_is_named_by_its_id(house: House, own_trained: Path) -> None:
    for name in ("optimizer.pt", "pytorch_model.bin", ".hidden.json", "manifest.json", "events.out.tfevents"):
        (own_trained / name).write_bytes(b"x")
    (own_trained / "reader").mkdir()
    (own_trained / "reader" / "calibration.json").write_text("{}")
    record = house.publish(own_trained)
    path = house.artifacts.open(record.model_id, record.manifest_sha256).path
    names = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "reader/calibration.json"} <= names
    assert not names & {"optimizer.pt", "pytorch_model.bin", ".hidden.json", "events.out.tfevents"}
    assert json.loads((path / "answerdesk.json").read_text()) == {"name": record.model_id, "grounded": True}
    assert json.loads((own_trained / "answerdesk.json").read_text())["name"] == "model"


def test_real_engine_speaks_under_the_id_of_the_published_model(house: House, trained: Path, tmp_path: Path) -> None:
    registry = ModelRegistry(house.models, house.artifacts, real_engine(tmp_path / "models"))
    record = registry.publish(trained, FACTS)
    model = registry.load(record)
    assert model.name == record.model_id
    assert model.is_grounded


def test_folder_that_is_no_grounded_gpt2_is_not_published(house: House, own_trained: Path, tmp_path: Path) -> None:
    config = own_trained / "config.json"
    original = config.read_text()
    config.write_text(json.dumps(json.loads(original) | {"model_type": "llama"}))
    with pytest.raises(ModelUnsuitable, match="llama"):
        house.publish(own_trained)
    config.write_text(original)
    (own_trained / "answerdesk.json").unlink()
    with pytest.raises(ModelUnsuitable, match="not fine-tuned"):
        house.publish(own_trained)
    with pytest.raises(ModelMissing):
        house.publish(tmp_path / "nowhere")
    assert [record.model_id for record in house.registry.list_models()] == [SHIPPED_MODEL_ID]
    assert house.folders() == set()


def test_weights_only_as_pickles_are_not_published(house: House, own_trained: Path) -> None:
    (own_trained / "model.safetensors").rename(own_trained / "pytorch_model.bin")
    with pytest.raises(ModelUnsuitable, match="pickle"):
        house.publish(own_trained)


def test_promotion_goes_forward_and_rolls_back_to_the_shipped_model(house: House, trained: Path) -> None:
    first, second = house.publish(trained), house.publish(trained)
    assert house.registry.promote(first.model_id).is_live
    house.registry.promote(second.model_id)
    assert house.registry.rollback().model_id == first.model_id
    house.registry.promote(SHIPPED_MODEL_ID)
    assert house.registry.live().is_shipped
    assert house.registry.rollback().model_id == first.model_id


def test_rollback_with_nothing_before_is_refused(house: House) -> None:
    with pytest.raises(ModelNotFound, match="before"):
        house.registry.rollback()


def test_rollback_reaches_the_shipped_model_when_the_one_before_was_forgotten(house: House, trained: Path) -> None:
    first, second = house.publish(trained), house.publish(trained)
    house.registry.promote(first.model_id)
    house.registry.promote(second.model_id)
    house.models.forget(first.model_id)
    assert house.registry.rollback().model_id == SHIPPED_MODEL_ID


@pytest.mark.parametrize(
    ("gate", "told"), [({"passed": False, "reasons": ["f1 falls."]}, "f1 falls."), ({}, "was not measured")]
)
def test_model_that_did_not_pass_its_gate_needs_force_but_rolling_back_to_it_does_not(
    house: House, trained: Path, gate: dict[str, object], told: str
) -> None:
    failed, passed = house.publish(trained, gate=gate), house.publish(trained)
    with pytest.raises(GateFailed, match=told):
        house.registry.promote(failed.model_id)
    assert house.registry.live().is_shipped
    assert house.registry.promote(failed.model_id, force=True).is_live
    house.registry.promote(passed.model_id)
    assert house.registry.rollback().model_id == failed.model_id


def test_gate_that_compared_with_another_model_than_the_live_one_conflicts(house: House, trained: Path) -> None:
    first, second = house.publish(trained), house.publish(trained)
    house.registry.promote(first.model_id)
    with pytest.raises(PromotionConflict):
        house.registry.promote(second.model_id, expected_live=SHIPPED_MODEL_ID)
    assert house.registry.live().model_id == first.model_id


def test_of_two_promotions_at_once_one_is_a_conflict(house: House, trained: Path, engines: ScriptedModels) -> None:
    records = [house.publish(trained) for _ in range(2)]
    both_read_the_pointer = threading.Barrier(2)

    def wait_for_the_other() -> None:
        both_read_the_pointer.wait(10)

    engines.before = wait_for_the_other
    outcomes: list[str] = []

    def promote(record: ModelRecord) -> None:
        try:
            outcomes.append(house.registry.promote(record.model_id).model_id)
        except PromotionConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=promote, args=(record,)) for record in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("conflict") == 1
    assert house.registry.live().model_id in outcomes


def test_tampered_weights_are_not_promoted(house: House, trained: Path, engines: ScriptedModels) -> None:
    record = house.publish(trained)
    weights = house.folder / "registry" / record.model_id / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ArtifactCorrupt, match=r"model\.safetensors"):
        house.registry.promote(record.model_id)
    assert engines.loaded == []
    assert house.registry.live().is_shipped


def test_missing_folder_is_not_promoted(house: House, trained: Path) -> None:
    record = house.publish(trained)
    shutil.rmtree(house.folder / "registry" / record.model_id)
    with pytest.raises(ArtifactCorrupt, match="missing"):
        house.registry.promote(record.model_id)
    assert house.registry.live().is_shipped


def test_model_that_the_engine_refuses_is_not_promoted(house: House, trained: Path, engines: ScriptedModels) -> None:
    record = house.publish(trained)

    def refuse() -> None:
        raise RuntimeError("unsupported model binary version")

    engines.before = refuse
    with pytest.raises(ModelUnsuitable, match="unsupported model binary version"):
        house.registry.promote(record.model_id)
    assert house.registry.live().is_shipped


def test_only_the_newest_models_and_those_that_may_answer_are_kept(house: House, trained: Path) -> None:
    first, second = house.publish(trained), house.publish(trained)
    house.registry.promote(first.model_id)
    house.registry.promote(second.model_id)
    later = [house.publish(trained).model_id for _ in range(KEPT_MODELS + 1)]
    kept = {first.model_id, second.model_id, *later[-KEPT_MODELS:]}
    assert {record.model_id for record in house.registry.list_models()} == kept | {SHIPPED_MODEL_ID}
    assert house.folders() == kept


_KILLED = """
import os, signal, sys
from pathlib import Path
from generator.model_registry import ModelRegistry
from storage.artifacts import ArtifactStore
from storage.engine import create_database_engine
from storage.models import ModelStore

class Killed(ModelStore):
    def register(self, record):
        os.kill(os.getpid(), signal.SIGKILL)

data = Path(sys.argv[1])
store = Killed(create_database_engine(f"sqlite:///{data / 'answerdesk.db'}"))
ModelRegistry(store, ArtifactStore(data / "registry"), None).publish(Path(sys.argv[2]), {})
"""


def test_killed_between_publishing_and_registering_leaves_the_live_model_and_a_folder_that_is_swept(
    house: House, trained: Path, engines: ScriptedModels
) -> None:
    command = [sys.executable, "-c", _KILLED, str(house.folder), str(trained)]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    [orphan] = house.folders()
    assert [record.model_id for record in house.registry.list_models()] == [SHIPPED_MODEL_ID]
    record = house.publish(trained)
    assert house.folders() == {orphan, record.model_id}  # so young that it might be registered any moment
    tomorrow = ModelRegistry(house.models, house.artifacts, engines, clock=lambda: time.time() + 86_400)
    again = tomorrow.publish(trained, FACTS)
    assert house.folders() == {record.model_id, again.model_id}


def test_full_disk_while_publishing_leaves_nothing(house: House, trained: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(file.stat().st_size for file in trained.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, before[1]))
    try:
        with pytest.raises(StorageFull):
            house.publish(trained)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert house.folders() == set()
    assert [record.model_id for record in house.registry.list_models()] == [SHIPPED_MODEL_ID]
    house.publish(trained)


def test_published_files_are_private(house: House, trained: Path) -> None:
    record = house.publish(trained)
    files = (house.folder / "registry" / record.model_id).iterdir()
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
