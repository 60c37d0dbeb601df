from __future__ import annotations

import random

from benchmarks.reading_examples import _rows
from domain.protocols import PassageToRead
from domain.text import sentence_spans
from generator.evaluation import GoldenQuery, GoldEvidence

RETURNS = "You can return a lamp within 45 days. Painted lamps stay with you."
HOURS = "The showroom is open on Saturdays."


def _shown(*texts: str) -> tuple[str, str, list[PassageToRead]]:
    return "how long?", "", [PassageToRead("Rules", text, tuple(sentence_spans(text))) for text in texts]


def _query(gold: str) -> GoldenQuery:
    evidence = (GoldEvidence("rules.md", gold),) if gold else ()
    return GoldenQuery("q", "how long?", (), "shop", evidence, (), bool(gold))


def test_sentences_that_say_the_gold_one_are_the_answers() -> None:
    row, *_ = _rows("made", _query("You can return a lamp within 45 days."), _shown(HOURS, RETURNS), random.Random(1))
    assert [passage["answers"] for passage in row["passages"]] == [[], [0]]
    assert [passage["text"] for passage in row["passages"]] == [HOURS, RETURNS]


def test_question_whose_answer_was_not_found_teaches_nothing() -> None:
    rng = random.Random(1)
    assert list(_rows("made", _query("We deliver on Mondays."), _shown(HOURS, RETURNS), rng)) == []
    assert list(_rows("made", _query(""), _shown(), rng)) == []


def test_near_miss_has_no_answer_and_is_asked_once() -> None:
    for seed in range(20):
        (row,) = _rows("made", _query(""), _shown(HOURS, RETURNS), random.Random(seed))
        assert not any(passage["answers"] for passage in row["passages"])


def test_passages_that_answer_are_sometimes_taken_away() -> None:
    rng = random.Random(1)
    query, shown = _query("The showroom is open on Saturdays."), _shown(HOURS, RETURNS)
    again = [row for _ in range(60) for row in list(_rows("made", query, shown, rng))[1:]]
    assert 0 < len(again) < 30
    assert all([passage["text"] for passage in row["passages"]] == [RETURNS] for row in again)
    assert not any(passage["answers"] for row in again for passage in row["passages"])
