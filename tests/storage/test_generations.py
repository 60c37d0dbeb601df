"""Which generation answers: one pointer, moved by compare-and-set."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Conflict, GenerationNotFound, PromotionConflict
from domain.indexing import GenerationRecord
from storage.generations import GenerationStore

EPOCH = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def _register(generations: GenerationStore, number: int) -> str:
    record = GenerationRecord(
        generation_id=f"g{number}",
        revision=number,
        manifest_sha256=f"{number:064d}",
        embedder_fingerprint="minilm",
        passage_count=10 * number,
        gate={"recall@5": 0.9},
        created_at=EPOCH + timedelta(minutes=number),
        is_live=False,
    )
    generations.register(record)
    return record.generation_id


def _ids(*records: GenerationRecord | None) -> list[str | None]:
    return [record.generation_id if record else None for record in records]


def test_a_registered_generation_is_not_live_yet(generations: GenerationStore) -> None:
    _register(generations, 1)
    record = generations.get("g1")
    assert (record.revision, record.passage_count, record.gate, record.is_live) == (1, 10, {"recall@5": 0.9}, False)
    assert record.created_at == EPOCH + timedelta(minutes=1)
    assert (generations.live(), generations.previous()) == (None, None)


def test_promotion_moves_the_pointer_and_remembers_the_one_before(generations: GenerationStore) -> None:
    for number in (1, 2):
        _register(generations, number)
    assert generations.promote("g1", expected_live=None).is_live
    promoted = generations.promote("g2", expected_live="g1")
    assert promoted == generations.live()
    assert _ids(generations.live(), generations.previous()) == ["g2", "g1"]
    assert [(record.generation_id, record.is_live) for record in generations.list_generations()] == [
        ("g2", True),
        ("g1", False),
    ]


def test_rolling_back_is_the_same_step(generations: GenerationStore) -> None:
    for number in (1, 2):
        _register(generations, number)
    generations.promote("g1", expected_live=None)
    generations.promote("g2", expected_live="g1")
    generations.promote("g1", expected_live="g2")
    assert _ids(generations.live(), generations.previous()) == ["g1", "g2"]


def test_a_promotion_that_compared_with_another_live_one_is_refused(generations: GenerationStore) -> None:
    for number in (1, 2):
        _register(generations, number)
    generations.promote("g1", expected_live=None)
    for expected in (None, "g2"):
        with pytest.raises(PromotionConflict, match="g1"):
            generations.promote("g2", expected_live=expected)
    assert _ids(generations.live()) == ["g1"]


def test_of_eight_promotions_at_once_one_wins(generations: GenerationStore) -> None:
    names = [_register(generations, number) for number in range(8)]
    outcomes: list[str] = []

    def promote(name: str) -> None:
        try:
            outcomes.append(generations.promote(name, expected_live=None).generation_id)
        except PromotionConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=promote, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("conflict") == 7
    assert _ids(generations.live())[0] in outcomes


def test_promoting_the_live_one_keeps_the_previous(generations: GenerationStore) -> None:
    for number in (1, 2):
        _register(generations, number)
    generations.promote("g1", expected_live=None)
    generations.promote("g2", expected_live="g1")
    generations.promote("g2", expected_live="g2")
    assert _ids(generations.live(), generations.previous()) == ["g2", "g1"]


def test_an_unknown_generation_is_not_found(generations: GenerationStore) -> None:
    with pytest.raises(GenerationNotFound):
        generations.get("missing")
    with pytest.raises(GenerationNotFound):
        generations.promote("missing", expected_live=None)


def test_the_live_one_cannot_be_forgotten_the_previous_one_can(generations: GenerationStore) -> None:
    for number in (1, 2):
        _register(generations, number)
    generations.promote("g1", expected_live=None)
    generations.promote("g2", expected_live="g1")
    with pytest.raises(Conflict, match="live"):
        generations.forget("g2")
    generations.forget("g1")
    generations.forget("never registered")
    assert _ids(generations.live(), generations.previous()) == ["g2", None]
    assert len(generations.list_generations()) == 1


def test_registering_again_is_harmless_unless_the_manifest_differs(generations: GenerationStore) -> None:
    _register(generations, 1)
    _register(generations, 1)
    record = generations.get("g1")
    other = GenerationRecord("g1", 1, "f" * 64, "minilm", 1, {}, record.created_at, is_live=False)
    with pytest.raises(Conflict, match="manifest"):
        generations.register(other)
    assert generations.get("g1") == record
