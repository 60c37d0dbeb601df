"""Which model answers: one pointer, moved by compare-and-set, with the shipped model to begin with."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Conflict, ModelNotFound, PromotionConflict
from domain.models import SHIPPED_MODEL_ID, ModelRecord
from storage.models import ModelStore

EPOCH = datetime(2100, 3, 29, 1, 30, tzinfo=UTC)  # after the shipped model was entered


def _record(number: int, manifest: str | None = None) -> ModelRecord:
    return ModelRecord(
        model_id=f"m{number}",
        created_at=EPOCH + timedelta(minutes=number),
        manifest_sha256=manifest or f"{number:064d}",
        base_model=SHIPPED_MODEL_ID,
        recipe="faq",
        recipe_sha256="a" * 64,
        gate={"passed": True, "after": {"f1": 0.5}},
        is_live=False,
        promoted_at=None,
    )


def _register(models: ModelStore, *numbers: int) -> list[str]:
    for number in numbers:
        models.register(_record(number))
    return [f"m{number}" for number in numbers]


def _ids(*records: ModelRecord | None) -> list[str | None]:
    return [record.model_id if record else None for record in records]


def test_the_shipped_model_is_live_before_anything_was_promoted(models: ModelStore) -> None:
    live = models.live()
    assert (live.model_id, live.is_live, live.is_shipped, live.manifest_sha256) == (SHIPPED_MODEL_ID, True, True, None)
    assert (live.passed_gate, live.promoted_at, models.previous()) == (True, None, None)
    assert models.list_models() == [live]


def test_a_registered_model_is_read_back_and_not_live_yet(models: ModelStore) -> None:
    _register(models, 1)
    assert models.get("m1") == _record(1)
    assert models.live().is_shipped


def test_promotion_moves_the_pointer_notes_the_time_and_remembers_the_one_before(models: ModelStore) -> None:
    _register(models, 1, 2)
    before = datetime.now(UTC) - timedelta(seconds=5)
    first = models.promote("m1", expected_live=SHIPPED_MODEL_ID)
    assert first.is_live
    assert first.promoted_at is not None
    assert before < first.promoted_at < before + timedelta(minutes=2)
    assert _ids(models.live(), models.previous()) == ["m1", SHIPPED_MODEL_ID]
    models.promote("m2", expected_live="m1")
    assert _ids(models.live(), models.previous()) == ["m2", "m1"]
    assert [(r.model_id, r.is_live) for r in models.list_models()] == [
        ("m2", True),
        ("m1", False),
        (SHIPPED_MODEL_ID, False),
    ]


def test_the_shipped_model_can_be_gone_back_to(models: ModelStore) -> None:
    _register(models, 1)
    models.promote("m1", expected_live=SHIPPED_MODEL_ID)
    assert models.promote(SHIPPED_MODEL_ID, expected_live="m1").is_live
    assert _ids(models.live(), models.previous()) == [SHIPPED_MODEL_ID, "m1"]


def test_promoting_the_live_one_changes_nothing(models: ModelStore) -> None:
    _register(models, 1)
    first = models.promote("m1", expected_live=SHIPPED_MODEL_ID)
    assert models.promote("m1", expected_live="m1") == first
    assert _ids(models.previous()) == [SHIPPED_MODEL_ID]


def test_a_promotion_that_compared_with_another_live_one_is_refused(models: ModelStore) -> None:
    _register(models, 1, 2)
    models.promote("m1", expected_live=SHIPPED_MODEL_ID)
    with pytest.raises(PromotionConflict, match="m1 is"):
        models.promote("m2", expected_live=SHIPPED_MODEL_ID)
    assert (models.live().model_id, models.get("m2").promoted_at) == ("m1", None)


def test_of_eight_promotions_at_once_one_wins(models: ModelStore) -> None:
    names = _register(models, *range(8))
    outcomes: list[str] = []

    def promote(name: str) -> None:
        try:
            outcomes.append(models.promote(name, expected_live=SHIPPED_MODEL_ID).model_id)
        except PromotionConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=promote, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("conflict") == 7
    assert models.live().model_id in outcomes


def test_an_unknown_model_is_not_found(models: ModelStore) -> None:
    with pytest.raises(ModelNotFound):
        models.get("missing")
    with pytest.raises(ModelNotFound):
        models.promote("missing", expected_live=SHIPPED_MODEL_ID)


def test_neither_the_live_nor_the_shipped_one_can_be_forgotten(models: ModelStore) -> None:
    _register(models, 1, 2)
    models.promote("m1", expected_live=SHIPPED_MODEL_ID)
    with pytest.raises(Conflict, match="ships with"):
        models.forget(SHIPPED_MODEL_ID)
    models.promote("m2", expected_live="m1")
    with pytest.raises(Conflict, match="Model m2 is live"):
        models.forget("m2")
    models.forget("m1")
    models.forget("never registered")
    assert _ids(models.live(), models.previous()) == ["m2", None]
    assert _ids(*models.list_models()) == ["m2", SHIPPED_MODEL_ID]


def test_registering_again_is_harmless_unless_the_manifest_differs(models: ModelStore) -> None:
    _register(models, 1, 1)
    with pytest.raises(Conflict, match="manifest"):
        models.register(_record(1, manifest="f" * 64))
    assert models.get("m1") == _record(1)
