from __future__ import annotations

import pytest

from domain.chat import ChatMessage, Role
from generator.condense import condense, is_follow_up, join_part

HISTORY = (
    ChatMessage(Role.USER, "How long is the warranty on the frame?"),
    ChatMessage(Role.ASSISTANT, "The frame has a warranty of 10 years. [1]"),
)


@pytest.mark.parametrize(
    "question",
    [
        "and if I lost the receipt?",
        "what about the battery",
        "ok and how far above the table should the lamp hang in a large room",
        "Does it cover damage from falls?",
        "why?",
        "how much?",
        "for business customers?",
        "lovely. could you use those for a larger one",
        "and?",
    ],
)
def test_follow_up_is_joined_with_the_exchange_before(question: str) -> None:
    condensed = condense(question, HISTORY)
    assert condensed.startswith("How long is the warranty on the frame? The frame has a warranty of 10 years.")
    assert condensed.endswith(question)
    assert "[1]" not in condensed


@pytest.mark.parametrize(
    "question",
    [
        "Which rental bikes may be taken on the ferry to Bregenz?",
        "Do you repair electric bikes made by Voltano in your Lindau workshop?",
        "do you deliver to Japan?",
        "Can I put the thermo carafe in the dishwasher",
        "how much is shipping",
        "great. What does engraving cost?",
        "I want to return a lamp",
    ],
)
def test_question_that_stands_alone_is_untouched(question: str) -> None:
    assert not is_follow_up(question)
    assert condense(question, HISTORY) == question


def test_opening_question_is_untouched_however_short() -> None:
    assert condense("and?", ()) == "and?"
    assert condense("why?", [ChatMessage(Role.ASSISTANT, "Hello!")]) == "why?"


def test_long_exchange_is_shortened() -> None:
    history = [ChatMessage(Role.USER, "word " * 3000), ChatMessage(Role.ASSISTANT, "reply " * 3000)]
    assert len(condense("and then?", history).split()) <= 82


def test_second_question_of_a_message_is_joined_only_when_it_points_back() -> None:
    first = "What does engraving cost?"
    assert join_part("and how much longer does it take?", first) == f"{first} and how much longer does it take?"
    assert join_part("And do you have parking behind the shop?", first) == "And do you have parking behind the shop?"
