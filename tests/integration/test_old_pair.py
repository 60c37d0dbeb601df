"""Another embedder in the settings, with the real models: the former one answers until the next index is promoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from api.cli import app

_FORMER = {"ANSWERDESK_RETRIEVER__UNIVERSAL_WEIGHT": "0", "ANSWERDESK_RETRIEVER__PRECISION": "fp32"}
_NEWER = {"ANSWERDESK_RETRIEVER__UNIVERSAL_WEIGHT": "0.35", "ANSWERDESK_RETRIEVER__PRECISION": "bf16"}
_QUESTION = "when do I get my money back"


def test_search_keeps_the_former_embedder_with_its_index_until_the_promotion(tmp_path: Path) -> None:
    (tmp_path / "returns.md").write_text("# Refunds\n\nThe price is refunded within six days.\n", encoding="utf-8")
    always = {"ANSWERDESK_DATA_DIR": str(tmp_path / "data"), "ANSWERDESK_RETRIEVER__THREADS": "1"}

    def run(embedder: dict[str, str], *arguments: str) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--json"], env={**always, **embedder})
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout)

    run(_FORMER, "ingest", str(tmp_path / "returns.md"), "--wait")
    former = run(_FORMER, "reindex")["generation_id"]
    before = run(_FORMER, "search", _QUESTION)["passages"][0]
    meanwhile = run(_NEWER, "search", _QUESTION)
    assert meanwhile["generation"] == former
    assert meanwhile["passages"][0]["dense_score"] == before["dense_score"]
    newer = run(_NEWER, "reindex")
    assert newer["embedded"] > 0
    assert newer["promoted"] is True
    after = run(_NEWER, "search", _QUESTION)
    assert after["generation"] == newer["generation_id"] != former
    assert after["passages"][0]["dense_score"] != before["dense_score"]
