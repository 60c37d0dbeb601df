"""Questions in other words: still questions, still about the same thing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.augmentation import reword, vary_question


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=80), st.integers(0, 2**32))
def test_varied_question_is_never_empty_unless_it_was_only_punctuation(question: str, seed: int) -> None:
    varied = vary_question(question, random.Random(seed))
    assert varied.strip() or not question.strip("?. \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0").strip()


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("How do I return a lamp?", "return a lamp"),
        ("Can I return a lamp?", "return a lamp"),
        ("What is a lamp?", "lamp"),
        ("What happens if the lamp is late?", "the lamp is late"),
    ],
)
def test_other_form_keeps_what_is_asked_about(question: str, kept: str) -> None:
    asked = {reword(question, random.Random(seed)) for seed in range(60)}
    assert len(asked) >= 4
    assert all(kept in form for form in asked)


def test_known_word_is_sometimes_said_otherwise() -> None:
    asked = {reword("Where can we purchase bulbs?", random.Random(seed)) for seed in range(60)}
    assert "Where can we buy bulbs?" in asked
    assert "Where can we purchase bulbs?" in asked


def test_same_random_state_gives_the_same_question() -> None:
    first, second = (vary_question("How can I change the address?", random.Random(4)) for _ in range(2))
    assert first == second
