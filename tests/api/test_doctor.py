from __future__ import annotations

from pathlib import Path

from api.doctor import Finding, examine
from domain.models import SHIPPED_MODEL_ID
from tests.api.conftest import OpenDesk
from tests.fakes import ScriptedLanguageModel
from tests.tiny_gpt2 import write_tiny_gpt2


def _language_model(findings: list[Finding]) -> tuple[str, str]:
    [finding] = [finding for finding in findings if finding.check == "language model"]
    return finding.level, finding.finding


def test_promoted_model_that_was_damaged_is_a_warning_with_the_file_and_what_answers(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    services = open_desk(language_model=ScriptedLanguageModel([])).services
    assert _language_model(examine(services)) == ("ok", "scripted, 512 tokens of context")
    services.live_model.close()  # no thread that picks up the model while it is whole
    model_id = services.publish_model(write_tiny_gpt2(tmp_path / "trained"), {}).model_id
    services.models.promote(model_id, force=True)
    (services.settings.data_dir / "registry" / model_id / "tokenizer.json").unlink()
    level, text = _language_model(examine(services))
    assert level == "warning"
    assert "tokenizer.json" in text
    assert f"{SHIPPED_MODEL_ID} answers instead of {model_id}" in text


def test_choice_of_the_index_is_explained(open_desk: OpenDesk) -> None:
    findings = examine(open_desk(language_model=ScriptedLanguageModel([])).services)
    [finding] = [finding.finding for finding in findings if finding.check == "index kind"]
    assert finding.startswith("exact: 0 vectors")
    assert "10000" in finding
