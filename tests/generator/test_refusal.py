from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ModelMissing
from generator.confidence import Confidence, Features
from generator.refusal import REFUSAL_FILE, SHIPPED_CALIBRATION, CurvePoint, RefusalModel

MODEL = RefusalModel(
    -1.0, {"answers": 2.0}, 0.5, (CurvePoint(0.1, 1.0, 0.5), CurvePoint(0.5, 0.7, 0.2), CurvePoint(0.9, 0.2, 0.05))
)


def test_probability_rises_with_the_weighted_features_and_ignores_the_others() -> None:
    assert MODEL.probability({"answers": 0.5, "search": 9.0}) == pytest.approx(0.5)
    assert MODEL.probability({"answers": 1.0}) > MODEL.probability({"answers": 0.0})
    assert 0.0 < MODEL.probability({"answers": -1e9}) < MODEL.probability({"answers": 1e9}) <= 1.0


@pytest.mark.parametrize(("max_wrong", "threshold"), [(0.6, 0.1), (0.2, 0.5), (0.1, 0.9), (0.01, 1.0)])
def test_threshold_is_the_lowest_that_keeps_the_promise(max_wrong: float, threshold: float) -> None:
    assert MODEL.threshold(max_wrong) == threshold


def test_shipped_calibration_answers_less_the_less_may_be_wrong() -> None:
    shipped = RefusalModel.load(SHIPPED_CALIBRATION)
    assert 0.0 < shipped.refuse_below < 1.0
    thresholds = [shipped.threshold(max_wrong) for max_wrong in (0.9, 0.5, 0.4, 0.3, 0.2, 0.0)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[-1]
    answered = [point.answered for point in shipped.curve]
    assert answered == sorted(answered, reverse=True)


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"bias": 0, "weights": {}}', '{"bias": "x", "weights": 3, "curve": []}']
)
def test_unreadable_calibration_is_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / REFUSAL_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(ModelMissing, match="calibration"):
        RefusalModel.load(tmp_path)


def test_what_the_model_has_for_declining_lowers_the_confidence_within_bounds() -> None:
    features = Features(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    before = Confidence(0.5, features, ("moon",))
    refusal = RefusalModel(0.0, {"declined": -0.3})
    surest = [before.with_model(declined, refusal) for declined in (-90.0, -3.0, 3.0, 90.0)]
    assert [one.value for one in surest] == sorted((one.value for one in surest), reverse=True)
    assert before.with_model(90.0, refusal) == before.with_model(12.0, refusal)
    assert surest[0].uncovered == ("moon",)
    assert before.with_model(9.0, RefusalModel(0.0, {})).value == 0.5
