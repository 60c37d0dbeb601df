"""Questions made from documents: by heading, by words, by the form of a sentence."""

from __future__ import annotations

import random

import pytest

from generator.train.asking import ask_about, keyword_question, sentence_question


@pytest.mark.parametrize(
    ("sentence", "asked"),
    [
        ("You can return a lamp within 30 days.", {"Can I return a lamp within 30 days?", "Can I return a lamp?"}),
        ("To reset the dimmer, hold it for ten seconds.", {"How do I reset the dimmer?", "I want to reset the dimmer"}),
        ("If your lamp arrives broken, write to us.", {"What if my lamp arrives broken?"}),
        ("The warranty is a promise about the wiring.", {"What is the warranty?", "Can you explain the warranty?"}),
        ("You must register the lamp within 60 days.", {"Do I have to register the lamp within 60 days?"}),
    ],
)
def test_sentence_is_turned_into_what_it_answers(sentence: str, asked: set[str]) -> None:
    assert asked <= {sentence_question(sentence, random.Random(seed)) for seed in range(80)}


@pytest.mark.parametrize("sentence", ["It is a lamp.", "Those are the ones.", "Wickenholt, since 1921.", "Yes."])
def test_sentence_without_a_subject_or_a_known_form_asks_nothing(sentence: str) -> None:
    assert {sentence_question(sentence, random.Random(seed)) for seed in range(20)} == {""}


def test_heading_with_a_verb_asks_how() -> None:
    assert "how to change a bulb" in {ask_about("Change a bulb", random.Random(seed)) for seed in range(60)}


def test_keywords_are_content_words_of_the_sentence() -> None:
    asked = keyword_question("The Heron lamp has a cable of two metres length.", random.Random(1))
    assert any(word in asked for word in ("Heron", "lamp", "cable", "metres"))


def test_plain_sentence_gives_no_keywords() -> None:
    assert keyword_question("It is what it is.", random.Random(0)) == ""


@pytest.mark.parametrize(
    ("heading", "words"),
    [("Create a user", ("create a user",)), ("3.2. Making light", ("making light",)), ("Fees", ("Fees",))],
)
def test_heading_becomes_a_question_about_it(heading: str, words: tuple[str, ...]) -> None:
    asked = ask_about(heading, random.Random(0))
    assert all(word in asked for word in words)
