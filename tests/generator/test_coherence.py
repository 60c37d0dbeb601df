from __future__ import annotations

import pytest

from domain.text import Span
from generator.coherence import heading_denies, standing_alone

TEXT = (
    "Points are worth €4. They cannot be paid out. Classes are free. But not for firms. Is it open? Yes. Ask us. Why?"
)


@pytest.mark.parametrize(
    ("sentence", "whole"),
    [
        ("Points are worth €4.", "Points are worth €4."),
        ("They cannot be paid out.", "Points are worth €4. They cannot be paid out."),
        ("Classes are free.", "Classes are free. But not for firms."),
        ("Is it open?", "Is it open? Yes."),
        ("Yes.", "Is it open? Yes."),
        ("Ask us.", "Ask us."),
        ("Why?", None),
    ],
)
def test_whole_thought(sentence: str, whole: str | None) -> None:
    start = TEXT.index(sentence)
    found = standing_alone(TEXT, Span(start, start + len(sentence)))
    assert (found.of(TEXT) if found else None) == whole


@pytest.mark.parametrize(
    ("heading", "sentence", "denies"),
    [
        ("What the warranty does not cover", "Damage from a fall.", True),
        ("What we don’t take back", "Painted lamps.", True),
        ("Exclusions", "Bulbs.", True),
        ("Not covered", "Bulbs.", True),
        ("What we do not take back", "Painted lamps cannot be returned.", False),
        ("What to do if the lamp does not light", "Check the bulb.", False),
        ("What happens when you are not at home", "The carrier tries again.", False),
        ("No-nonsense returns", "Send it back.", False),
        ("Not sure which bulb you need", "Ask us.", False),
        ("What is covered", "Drivers.", False),
    ],
)
def test_heading_that_turns_its_sentences_around(heading: str, sentence: str, denies: bool) -> None:
    assert heading_denies(heading, sentence) is denies
