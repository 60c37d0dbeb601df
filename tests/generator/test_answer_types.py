from __future__ import annotations

import pytest

from generator.answer_types import AnswerType, expected_types, holds_type


@pytest.mark.parametrize(
    ("question", "kind", "answer", "other"),
    [
        ("how heavy is the bike", AnswerType.WEIGHT, "It weighs 14.5 kg.", "It has three levels."),
        ("What does a service cost?", AnswerType.MONEY, "A service is 75 EUR.", "A service takes long."),
        ("how much is a helmet", AnswerType.MONEY, "Helmets are free.", "Helmets are red."),
        ("How long does a repair take?", AnswerType.DURATION, "Three to five days.", "Repairs are thorough."),
        ("how many weeks until it comes", AnswerType.DURATION, "Delivery takes two weeks.", "We deliver by van."),
        ("until when are you open", AnswerType.TIME, "On Monday until 18:30.", "The shop is near the lake."),
        ("How wide is the handlebar?", AnswerType.SIZE, "It is 62 cm wide.", "It is made of steel."),
    ],
)
def test_answer_of_the_kind_is_told_from_any_other(question: str, kind: AnswerType, answer: str, other: str) -> None:
    expected = expected_types(question)
    assert kind in expected
    assert holds_type(expected, answer)
    assert not holds_type(expected, other)


def test_question_that_asks_for_no_kind_is_met_by_anything() -> None:
    assert expected_types("Do you repair e-bikes?") == frozenset()
    assert holds_type(frozenset(), "Yes.")
