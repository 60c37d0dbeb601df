from __future__ import annotations

import pytest

from generator.metrics import (
    bootstrap,
    compare,
    coverage_curve,
    quote_is_right,
    quote_says,
    roc_auc,
    support_share,
    token_f1,
)


def test_token_f1_ignores_case_articles_and_punctuation() -> None:
    assert token_f1("The lamp, returned!", "a Lamp returned") == 1.0
    assert token_f1("lamp", "lamp returned within") == pytest.approx(0.5)
    assert token_f1("", "lamp") == 0.0


@pytest.mark.parametrize(
    ("quote", "right"),
    [
        ("As said: You may return items within 45 days. Really.", True),
        ("within 45 days", True),
        ("You may return lamps and shades within 45 days", True),
        ("You may pay within 45 minutes", False),
        ("ms within", False),  # a part of words is not a part of the quote
        ("", False),
    ],
)
def test_quote_is_judged_against_gold(quote: str, right: bool) -> None:
    assert quote_is_right(quote, "You may return items within 45 days.") is right


def test_quote_says_a_sentence_word_for_word_or_not_at_all() -> None:
    quote = "Returns are free.  You may return\nitems within 45 days (zone A)."
    assert quote_says(quote, "you may return items within 45 days")
    assert not quote_says(quote, "You may return items within 45 weeks.")
    assert not quote_says(quote, "may return your items")
    assert not quote_says(quote, "?!")


def test_support_is_the_share_of_the_answers_three_grams() -> None:
    assert support_share("one two three four", ["zero one two three"]) == 0.5
    assert support_share("one two", ["one two three"]) == 1.0
    assert support_share("", ["x"]) == 0.0


def test_bootstrap_interval_holds_the_mean_and_narrows() -> None:
    few, many = bootstrap([0.0, 1.0] * 5), bootstrap([0.0, 1.0] * 200)
    assert few.low < few.mean < few.high
    assert many.high - many.low < few.high - few.low
    assert bootstrap([]).n == 0


def test_comparison_is_paired_and_its_ratio_is_of_the_means() -> None:
    ours, theirs = [0.9, 0.1, 0.5, 0.5] * 10, [0.8, 0.0, 0.4, 0.4] * 10
    found = compare(ours, theirs, [str(n) for n in range(40)])
    assert (found.ours, found.theirs) == (pytest.approx(0.5), pytest.approx(0.4))
    assert found.ratio.mean == pytest.approx(1.25)
    # The queries differ widely, the pairs do not: only a paired interval is this narrow.
    assert found.difference.low == pytest.approx(0.1)
    assert found.difference.high == pytest.approx(0.1)
    assert found.difference.n == 40


def test_questions_of_one_group_are_drawn_together() -> None:
    ours, theirs = [1.0] * 20 + [0.0] * 20, [0.5] * 40
    alone = compare(ours, theirs, [str(n) for n in range(40)])
    grouped = compare(ours, theirs, ["a"] * 20 + ["b"] * 20)
    assert grouped.difference.mean == alone.difference.mean == 0.0
    assert (grouped.difference.low, grouped.difference.high) == (-0.5, 0.5)
    assert alone.difference.high < 0.3


def test_comparison_against_a_peer_that_scores_nothing_or_of_no_queries_does_not_divide_by_zero() -> None:
    assert compare([1.0, 1.0], [0.0, 0.0], ["a", "b"]).ratio.mean > 1e6
    assert compare([], [], []).difference.n == 0


def test_auc_counts_ties_half() -> None:
    assert roc_auc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert roc_auc([0.1], [0.9]) == 0.0
    assert roc_auc([0.5, 0.9], [0.5]) == 0.75
    assert roc_auc([], [0.3]) == 0.5


def test_curve_counts_answers_to_what_has_no_answer_as_wrong_but_not_as_coverage() -> None:
    answers = [(0.9, True, True), (0.8, False, False), (0.7, True, True), (0.6, True, False)]
    points = coverage_curve(answers, answerable=4, steps=4)
    assert [(p.threshold, p.coverage, p.precision) for p in points] == [
        (0.9, 0.25, 1.0),
        (0.7, 0.5, pytest.approx(2 / 3)),
        (0.6, 0.75, 0.5),
    ]


def test_curve_does_not_part_equal_confidences() -> None:
    points = coverage_curve([(0.5, True, True), (0.5, True, False)], answerable=2)
    assert [(p.coverage, p.precision) for p in points] == [(1.0, 0.5)]
    assert coverage_curve([], answerable=3) == []
