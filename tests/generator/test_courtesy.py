from __future__ import annotations

import pytest

from generator.courtesy import Recognised, recognise, without_greeting
from generator.phrases import Courtesy


@pytest.mark.parametrize(
    ("message", "courtesy"),
    [
        ("hi", Courtesy.GREETING),
        ("Hello there!", Courtesy.GREETING),
        ("Good morning", Courtesy.GREETING),
        ("thanks a lot", Courtesy.THANKS),
        ("Ok, thank you very much!", Courtesy.THANKS),
        ("thanks, bye", Courtesy.THANKS),
        ("thanks, that helps", Courtesy.THANKS),
        ("That really helped, thank you!", Courtesy.THANKS),
        ("Goodbye", Courtesy.GOODBYE),
        ("Are you a robot?", Courtesy.IDENTITY),
        ("hi, am I talking to a real person or a bot?", Courtesy.IDENTITY),
        ("Can I talk to a real person please", Courtesy.HANDOFF),
        ("I want to speak with an agent", Courtesy.HANDOFF),
        ("human", Courtesy.HANDOFF),
        ("this is useless, get me a human", Courtesy.HANDOFF),
    ],
)
def test_courtesy_is_recognised(message: str, courtesy: Courtesy) -> None:
    assert recognise(message) == Recognised(courtesy, "en")


@pytest.mark.parametrize(
    "message",
    [
        "hi, how long is the warranty?",
        "thanks, but what about the battery",
        "Do you have people who repair e-bikes?",
        "What does your agent in Lindau charge?",
        "hi-vis vests",
        "do I need a person at home when the parcel comes?",
        "I don't want to talk to a person, how long is the warranty?",
        "are you a machine shop?",
        "that helps the battery, does it?",
        "thanks for nothing, where is my refund",
    ],
)
def test_question_is_no_courtesy(message: str) -> None:
    assert recognise(message) is None


def test_greeting_before_a_question_is_taken_off() -> None:
    assert without_greeting("Hi there, do you sell locks?") == "do you sell locks?"
    assert without_greeting("hiking boots?") == "hiking boots?"
    assert without_greeting("hello!") == "hello!"
