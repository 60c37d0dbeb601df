"""``answerdesk models``, in one data folder each, with real files and the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.bootstrap import Services, build_services
from api.cli import app
from api.settings import Settings
from domain.errors import GateFailed
from domain.models import SHIPPED_MODEL_ID
from tests.fakes import HashEmbedder
from tests.tiny_gpt2 import write_tiny_gpt2

PASSED = {"recipe": "faq", "gate": {"passed": True, "reasons": []}}
FAILED = {"recipe": "bad", "gate": {"passed": False, "reasons": ["f1 (0.600 to 0.100) falls by more than 0.005."]}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gpt2(tmp_path_factory.mktemp("runs") / "model")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = build_services(Settings(data_dir=tmp_path / "data"), embedder=HashEmbedder())
    services.prepare_storage()
    yield services
    services.close()


def _run(services: Services, *arguments: str) -> Result:
    environment = {"ANSWERDESK_DATA_DIR": str(services.settings.data_dir)}
    return CliRunner().invoke(app, ["models", *arguments], env=environment)


def test_models_are_listed_promoted_and_rolled_back(services: Services, trained: Path) -> None:
    model_id = services.publish_model(trained, PASSED).model_id
    assert json.loads(_run(services, "promote", model_id, "--json").stdout)["is_live"] is True
    rows = json.loads(_run(services, "list", "--json").stdout)["models"]
    assert [(row["model_id"], row["is_live"], row["passed_gate"]) for row in rows] == [
        (model_id, True, True),
        (SHIPPED_MODEL_ID, False, True),
    ]
    assert rows[0]["promoted_at"] is not None
    result = _run(services, "rollback")
    assert (result.exit_code, result.stdout) == (0, f"Model {SHIPPED_MODEL_ID} is live.\n")


def test_table_names_every_model_with_its_gate(services: Services, trained: Path) -> None:
    ids = [services.publish_model(trained, facts).model_id for facts in (PASSED, FAILED, {})]
    lines = _run(services, "list").stdout.splitlines()
    assert [[word for word in line.split() if word in ("passed", "failed", "measured")] for line in lines[1:]] == [
        ["measured"],
        ["failed"],
        ["passed"],
        [],
    ]
    assert all(any(model_id in line for line in lines) for model_id in (*ids, SHIPPED_MODEL_ID))
    assert "live" in lines[-1].split()


def test_model_that_failed_its_gate_is_refused_and_forcing_it_says_so(services: Services, trained: Path) -> None:
    model_id = services.publish_model(trained, FAILED).model_id
    refused = _run(services, "promote", model_id)
    assert isinstance(refused.exception, GateFailed)
    assert "f1 (0.600 to 0.100)" in refused.exception.detail
    assert "--force" in refused.exception.remedy
    forced = _run(services, "promote", model_id, "--force")
    assert forced.exit_code == 0
    assert "did not pass its gate: f1 (0.600 to 0.100)" in " ".join(forced.stderr.split())
    assert services.models.live().model_id == model_id
