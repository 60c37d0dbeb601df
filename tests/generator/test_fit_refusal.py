"""Calibrated refusal is fitted on records that a benchmark writes: it learns what is right, and says how often."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from generator.refusal import REFUSAL_FILE, RefusalModel
from generator.train.refusal import FEATURES, Labelled, calibration_error, main, predict, read_records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question is right the likelier the higher its cosine; every other feature is noise."""
    rng = random.Random(3)
    lines = []
    for n in range(600):
        features = {name: rng.random() for name in FEATURES}
        right = rng.random() < 1 / (1 + np.exp(-8 * (features["top_cosines"] - 0.5)))
        lines.append(json.dumps({"document": f"d{n % 40}", "parts": [features], "gold_found": bool(right)}))
    lines.append(json.dumps({"document": "two", "parts": [features, features], "gold_found": True}))
    lines.append(json.dumps({"document": "courtesy", "parts": [], "gold_found": False}))
    path = tmp_path_factory.mktemp("records") / "questions.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _fitted(folder: Path) -> dict[str, float]:
    return dict(json.loads((folder / REFUSAL_FILE).read_text(encoding="utf-8")))


def test_questions_of_one_part_are_read(records: Path) -> None:
    assert len(read_records(records)) == 600


def test_what_makes_an_answer_right_gets_the_weight(records: Path, tmp_path: Path) -> None:
    main(tmp_path, [records])
    model = RefusalModel.load(tmp_path)
    others = [abs(weight) for name, weight in model.weights.items() if name != "top_cosines"]
    assert model.weights["top_cosines"] > 3 * max(others)
    assert _fitted(tmp_path)["auc"] > 0.8
    wrong = [point.wrong for point in model.curve]
    assert wrong[0] > 0.3 > wrong[-1]


def test_kept_weights_keep_their_order_and_their_answers_and_become_honest(records: Path, tmp_path: Path) -> None:
    timid = {"bias": -9.0, "weights": {"top_cosines": 6.0, "gap": 1.5}, "refuse_below": 0.01, "curve": []}
    (tmp_path / REFUSAL_FILE).write_text(json.dumps(timid), encoding="utf-8")
    before = RefusalModel.load(tmp_path)
    main(tmp_path, [records], keep=True)
    after = RefusalModel.load(tmp_path)
    assert after.weights["top_cosines"] / after.weights["gap"] == pytest.approx(4.0, rel=1e-3)
    rows = [dict(zip(FEATURES, row.features, strict=True)) for row in read_records(records)]
    answered = [before.probability(row) >= before.refuse_below for row in rows]
    same = [(after.probability(row) >= after.refuse_below) == was for row, was in zip(rows, answered, strict=True)]
    assert sum(same) >= len(rows) - 2  # the file rounds
    assert 0 < sum(answered) < len(rows)
    assert _fitted(tmp_path)["calibration_error"] < 0.06


def test_calibration_error_is_how_far_the_promise_is_from_what_happened() -> None:
    rows = [Labelled("d", (0.0,), right) for right in (True, True, False, False)]
    assert calibration_error(predict(0.0, np.zeros(1), rows), rows) == pytest.approx(0.0)
    assert calibration_error(np.full(4, 0.9), rows) == pytest.approx(0.4)


def test_confidence_to_answer_from_follows_from_the_share_to_be_answered(records: Path, tmp_path: Path) -> None:
    names = ("top_cosines", "gap")
    main(tmp_path, [records], names=names, answered=0.8)
    model = RefusalModel.load(tmp_path)
    assert set(model.weights) <= set(names)
    right = [row for row in read_records(records, names) if row.right]
    answered = [model.probability(dict(zip(names, row.features, strict=True))) >= model.refuse_below for row in right]
    assert 0.75 < sum(answered) / len(right) < 0.85
