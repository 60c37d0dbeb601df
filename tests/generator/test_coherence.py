from __future__ import annotations

import pytest

from domain.text import Span
from generator.coherence import heading_denies, standing_alone

TEXT = (
    "Points are worth €4. They cannot be paid out. Classes are free. But not for firms. "
    "Is the shop open? Yes. Ask us. Why?"
)


@pytest.mark.parametrize(
    ("sentence", "whole"),
    [
        ("Points are worth €4.", "Points are worth €4."),
        ("They cannot be paid out.", "Points are worth €4. They cannot be paid out."),
        ("Classes are free.", "Classes are free. But not for firms."),
        ("Is the shop open?", "Is the shop open? Yes."),
        ("Yes.", "Is the shop open? Yes."),
        ("Ask us.", "Ask us."),
        ("Why?", None),
    ],
)
def test_whole_thought(sentence: str, whole: str | None) -> None:
    start = TEXT.index(sentence)
    found = standing_alone(TEXT, Span(start, start + len(sentence)))
    assert (found.of(TEXT) if found else None) == whole


def test_any_other_comes_with_what_it_is_other_than() -> None:
    text = "We deliver to Norway. We do not deliver to any other country."
    at = text.index("We do not")
    assert standing_alone(text, Span(at, len(text))) == Span(0, len(text))
    text = "Ask us. Delivery takes six days in zone A, or ten in any other zone."
    assert standing_alone(text, Span(8, len(text))) == Span(8, len(text))


@pytest.mark.parametrize(
    ("sentence", "leans"),
    [
        ("Bringing it to the showroom is free.", True),
        ("You can send it back.", True),
        ("If the lamp fails, send it back.", False),
        ("Wash your shades and dry them.", False),
        ("Items are free.", False),
    ],
)
def test_pronoun_with_nothing_before_it_leans_back(sentence: str, leans: bool) -> None:
    text = f"We take one old lamp. {sentence}"
    assert standing_alone(text, Span(22, len(text))) == Span(0 if leans else 22, len(text))


def test_item_of_a_list_comes_with_what_introduces_it() -> None:
    text = "Hello.\n\nWe do not repair:\n\nlamps of glass\n\nlamps of others\n\nAsk us. We answer."
    at = text.index("lamps of others")
    found = standing_alone(text, Span(at, at + 15))
    assert found is not None
    assert found.of(text) == "We do not repair:\n\nlamps of glass\n\nlamps of others"
    at = text.index("We answer.")
    assert standing_alone(text, Span(at, at + 10)) == Span(at, at + 10)


def test_item_too_far_from_an_intro_that_denies_it_is_not_said() -> None:
    text = "We do not repair:\n\n" + "\n\n".join(f"lamp number {n} of the second series" for n in range(20))
    assert standing_alone(text, Span(len(text) - 10, len(text))) is None
    assert standing_alone(text.replace("do not ", ""), Span(len(text) - 30, len(text) - 7)) is not None


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
