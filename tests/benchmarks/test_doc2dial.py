from __future__ import annotations

from collections import Counter

import pytest

from benchmarks._doc2dial import Turn, file_name, move_spans, repeated_elsewhere, sample
from domain.chat import ChatMessage, Role
from domain.text import Span
from generator.evaluation import GoldenQuery, GoldEvidence


def _turn(name: str, gold: str = "Pay within ten days.", later: bool = False, document: str = "Fees#1_0") -> Turn:
    history = (ChatMessage(Role.USER, "Hello"),) if later else ()
    evidence = (GoldEvidence(file_name(document), gold),)
    return Turn(GoldenQuery(name, "When?", history, None, evidence, (), True), document, (), False)


def test_gold_span_is_found_again_after_white_space_and_bullets_changed() -> None:
    original = "Fees \n\n* Pay within  ten days. \nLate fees apply."
    stored = "Fees\n\nPay within ten days.\n\nLate fees apply."
    start = original.index("Pay")
    (span,) = move_spans(original, stored, [Span(start, original.index("Late"))])
    assert span.of(stored) == "Pay within ten days."


def test_gold_span_that_was_left_out_is_dropped_and_a_foreign_text_is_refused() -> None:
    assert move_spans("* Pay.", "Pay.", [Span(0, 1)]) == ()
    with pytest.raises(ValueError, match="not in the original"):
        move_spans("Pay.", "Play.", [Span(0, 4)])


def test_draw_is_stratified_fixed_and_nested() -> None:
    turns = [_turn(f"q{n}", later=n % 5 != 0) for n in range(100)]
    small, large = sample(turns, 20), sample(turns, 50)
    assert Counter(turn.kind for turn in large) == {"opening": 10, "follow_up": 40}
    assert {turn.query.id for turn in small} < {turn.query.id for turn in large}
    assert sample(turns, 50) == large
    assert sample(turns, None) == turns


def test_question_whose_gold_text_stands_in_another_document_is_known() -> None:
    turns = [_turn("twin"), _turn("only", gold="Bring the plates.")]
    documents = {"Fees#1_0": "Pay within ten days. Bring the plates.", "Other#1_0": "Pay within ten days or appeal."}
    assert repeated_elsewhere(turns, documents) == set()
    documents["Other#1_0"] = "Pay within  TEN days. Thank you."
    assert repeated_elsewhere(turns, documents) == {"twin"}


def test_title_is_a_safe_file_name() -> None:
    assert file_name("Courses (I-PIRP/ADM)#3_0") == "Courses (I-PIRP-ADM).txt"
