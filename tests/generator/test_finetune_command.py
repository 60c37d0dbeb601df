"""``answerdesk finetune`` over real services: it measures, judges, publishes, and leaves the live model alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.bootstrap import Services, build_services
from api.cli import app
from api.finetuning import FineTuning, Verdicts
from api.settings import Settings
from api.uploads import store_upload
from domain.models import SHIPPED_MODEL_ID
from generator.model_gate import ModelFigures, judge
from generator.settings import GeneratorSettings
from tests.fakes import HashEmbedder
from tests.generator.small_models import no_progress, shop_passages, write_model

_ROOT = Path(__file__).parents[2]
_RECIPE = """
name = "shop"
collection = "shop"
golden = "golden.jsonl"
examples = 30
[training]
steps = 3
warmup = 1
batch_tokens = 2048
precision = "fp32"
threads = 1
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """A shop of FAQ entries and documents, and a tiny model in the place of the shipped one."""
    model = write_model(tmp_path / "tiny")
    settings = Settings(data_dir=tmp_path / "data", generator=GeneratorSettings(model=str(model), threads=1))
    services = build_services(settings, embedder=HashEmbedder())
    services.prepare_storage()
    entries = [one.passage for one in shop_passages()]
    faq = [{"question": p.question, "answer": p.text} for p in entries if p.question]
    store_upload(services, "faq.json", iter([json.dumps(faq).encode()]), "shop")
    for name in ("shipping", "returns", "repairs", "gifts"):
        told = [f"# {p.heading}\n\n{p.text}\n\n" for p in entries if p.document_id == name]
        store_upload(services, f"{name}.md", iter([one.encode() for one in told]), "shop")
    services.load_embedding()
    worker = services.worker("test")
    while worker.run_once():
        pass
    yield services
    services.close()


def _recipe(folder: Path) -> Path:
    path = folder / "recipe.toml"
    path.write_text(_RECIPE, encoding="utf-8")
    first = shop_passages()[0].passage
    asked = {"id": "1", "question": "cable price?", "evidence": [{"source": "faq.json", "quote": first.text}]}
    unknown = {"id": "2", "question": "who won the race", "evidence": []}
    rows = [asked | {"answerable": True}, unknown | {"answerable": False}]
    (folder / "golden.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_trained_model_is_measured_and_published_and_goes_live_only_through_the_gate(
    services: Services, tmp_path: Path
) -> None:
    report = FineTuning(services, _recipe(tmp_path), no_progress).run()
    records = {record.model_id: record for record in services.models.list_models()}
    assert report["live"] == SHIPPED_MODEL_ID
    gate = records[report["model"]].gate
    assert gate["passed"] is not bool(report["reasons"])
    assert gate["after"]["f1"] == report["served"]["trained"]["f1"]  # what is served has to rise,
    assert gate["margins"]["rise"] > 0
    assert all(gate[name]["margins"]["rise"] < 0 for name in ("choosing", "golden"))  # these may only hold
    assert report["promoted"] is not bool(report["reasons"])
    assert services.models.live().model_id == (report["model"] if report["promoted"] else SHIPPED_MODEL_ID)
    for name in ("choosing", "served", "golden"):
        assert set(report[name]["live"]) == set(report[name]["trained"])
    assert report["choosing"]["trained"]["support"] == 1.0
    assert report["best_possible"]["f1"] >= report["choosing"]["trained"]["f1"]
    written = json.loads((Path(report["run"]) / "report.json").read_text(encoding="utf-8"))
    assert written["model"] == report["model"]


def _figures(f1: float, refused: float = 1.0) -> ModelFigures:
    return ModelFigures(10, f1, f1, 1.0, refused, 1.0, 1.0)


@pytest.mark.parametrize(
    ("served", "golden", "passed"), [(0.6, 1.0, True), (0.5, 1.0, False), (0.6, 0.8, False)], ids=str
)
def test_gate_wants_better_answers_and_no_worse_golden_set(served: float, golden: float, passed: bool) -> None:
    verdicts = {
        "served": judge("live", _figures(0.5), _figures(served)),
        "golden": judge("live", _figures(0.5), _figures(0.6, golden)),
    }
    told = Verdicts(verdicts).to_dict()
    assert told["passed"] is passed
    assert bool(told["reasons"]) is not passed
    assert {"before", "after", "golden"} <= set(told)


def _run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"ANSWERDESK_DATA_DIR": str(folder / "data")})


def test_command_needs_nothing_that_only_our_own_training_data_does() -> None:
    """An installation without the ``train`` and ``dev`` extras fine-tunes."""
    extras = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (reads_training_data,) = [re.split(r"[>=<\[]", need)[0] for need in extras["train"]]
    code = f"import sys; sys.modules[{reads_training_data!r}] = None; import api.finetuning"
    subprocess.run([sys.executable, "-c", code], cwd=_ROOT, check=True)


def test_command_names_a_missing_recipe() -> None:
    assert CliRunner().invoke(app, ["finetune", "/nowhere.toml"]).exit_code == 2


def test_hub_name_without_network_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "shop"\nstart = "some-hub/gpt2"\n', encoding="utf-8")
    result = _run(tmp_path, "finetune", str(path))
    assert result.exception is not None
    assert "no model folder 'some-hub/gpt2', and downloads are off" in str(result.exception)
