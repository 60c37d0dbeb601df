from __future__ import annotations

import pytest

from domain.errors import QuestionInvalid
from generator.questions import split_questions, validate


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("How much is delivery?", ["How much is delivery?"]),
        ("How much is delivery and how long does it take?", ["How much is delivery", "how long does it take?"]),
        ("Can I pay by card? And do you have parking?", ["Can I pay by card?", "And do you have parking?"]),
        ("what does a helmet cost and also do you sell locks", ["what does a helmet cost", "do you sell locks"]),
        (
            "What would it cost, and by how many days is it late?",
            ["What would it cost", "by how many days is it late?"],
        ),
    ],
)
def test_two_questions_are_told_apart(message: str, parts: list[str]) -> None:
    assert split_questions(message) == parts


@pytest.mark.parametrize(
    "message",
    [
        "Where and when can I collect it?",
        "Is the red one and is",
        "Can I return it and get my money back?",
        "My lamp flashes red. Is it broken?",
        "I paid twice. I want my money back.",
        "helmets and locks",
        "why?",
    ],
)
def test_one_question_is_not_torn_apart(message: str) -> None:
    assert split_questions(message) == [message]


def test_statement_stays_with_the_question_after_it() -> None:
    parts = split_questions("I bought a bike in May. Can I still return it? And what does the label cost?")
    assert parts == ["I bought a bike in May. Can I still return it?", "And what does the label cost?"]


def test_at_most_three_questions_and_no_word_is_lost() -> None:
    message = "What is this? What is that one? Where is the shop? When do you open? Who are you then?"
    parts = split_questions(message)
    assert len(parts) == 3
    assert " ".join(parts) == message


def test_question_is_normalised() -> None:
    assert validate("  Cafe\u0301 open?\x00 ", 50) == "Café open?"


@pytest.mark.parametrize("question", ["", " ", "\x00", "...", "123 456", "a" * 51])
def test_unusable_question_is_refused_with_a_remedy(question: str) -> None:
    with pytest.raises(QuestionInvalid) as caught:
        validate(question, 50)
    assert caught.value.remedy


def test_question_in_another_script_is_accepted() -> None:
    assert validate("営業時間は？", 50) == "営業時間は？"


def test_question_that_grows_beyond_the_limit_when_normalised_is_too_long() -> None:
    with pytest.raises(QuestionInvalid, match="80 characters"):
        validate("\u0958" * 40, 50)
