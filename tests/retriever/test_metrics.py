from __future__ import annotations

import math

import pytest

from retriever.metrics import (
    is_relevant,
    mrr,
    ndcg,
    normalise_evidence,
    recall_at_k,
    reciprocal_rank,
    span_coverage,
    span_hit,
)


def test_evidence_is_compared_without_case_space_and_typographic_quotes() -> None:
    assert normalise_evidence("  The “Bulb\u00a0Club”\n isn’t  FREE ") == 'the "bulb club" isn\'t free'
    assert is_relevant("About it: The “Bulb\nClub” isn’t free.", ['the "bulb club" isn\'t free'])
    assert not is_relevant("Something else.", ["the bulb club"])
    assert not is_relevant("Anything.", ["", "  "])
    assert not is_relevant("Anything.", [])


def test_recall_counts_any_relevant_hit_within_k() -> None:
    assert recall_at_k([False, False, True], 3) == 1.0
    assert recall_at_k([False, False, True], 2) == 0.0
    assert recall_at_k([], 5) == 0.0


def test_reciprocal_rank_is_of_the_first_relevant_hit() -> None:
    assert reciprocal_rank([False, True, True]) == 0.5
    assert reciprocal_rank([False]) == 0.0
    assert mrr([[True], [False, True], []]) == pytest.approx(0.5)
    assert mrr([]) == 0.0


def test_ndcg_discounts_by_the_logarithm_of_the_place() -> None:
    assert ndcg([True, False], 5) == 1.0
    assert ndcg([False, True], 5) == pytest.approx(1 / math.log2(3))
    assert ndcg([True, False], 5, relevant=2) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert ndcg([False, False], 5) == 0.0
    assert ndcg([], 5) == 0.0


def test_span_may_stand_in_two_passages_together() -> None:
    gold = "one two three four five six seven eight nine ten"
    assert span_coverage(gold, ["one two three four five six", "five six seven eight nine ten"]) == 1.0
    assert span_hit(gold, ["one two three four five six seven eight nine"])
    assert not span_hit(gold, ["one two three four five six"])
    assert not span_hit(gold, [])


def test_gold_text_of_one_or_two_words_is_one_gram() -> None:
    assert span_hit("Thirty days", ["You have thirty days."])
    assert not span_hit("Thirty days", ["Thirty long days."])
    assert not span_hit("", ["Anything"])
