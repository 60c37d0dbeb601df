from __future__ import annotations

import pytest

from domain.text import sentence_spans
from generator.readings import readings, unfronted, without_brackets


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The Otter Rail Pass (ORP) is valid.", "The Otter Rail Pass is valid."),
        ("Fill in the form (see page 3).", "Fill in the form."),
        ("Pack the small parts (e.g. screws).", "Pack the small parts."),
        ("The path is 3 km (1.9 miles) long.", "The path is 3 km long."),
        ("The Elbe (German: die Elbe) is closed.", "The Elbe is closed."),
    ],
)
def test_bracket_that_narrows_nothing_is_read_away(sentence: str, expected: str) -> None:
    assert without_brackets(sentence) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "The pool is open (Monday to Friday).",
        "Returns are free (members only).",
        "Delivery is free (over €50).",
        "Bring a bag (at most 5 kg).",
        "Press the button (2) twice.",
        "The deposit (€150) is returned.",
    ],
)
def test_bracket_that_may_narrow_stays(sentence: str) -> None:
    assert without_brackets(sentence) == sentence


def test_fronted_adverb_goes_behind_and_a_condition_stays() -> None:
    assert unfronted("On Mondays, the shop is closed.") == "The shop is closed on Mondays."
    assert unfronted("If it rains, the shop is closed.") == "If it rains, the shop is closed."


def test_pronoun_is_read_as_the_subject_of_the_sentence_that_it_leans_on() -> None:
    text = "The Otter pass costs €9. It is valid for a week. It cannot be returned."
    spans = sentence_spans(text)
    assert (0, "The Otter pass cannot be returned.") in list(readings(text, spans, 2))


def test_pronoun_is_left_alone_where_another_kind_of_pronoun_stands_between() -> None:
    text = "The Otter pass costs €9. They sell out quickly. It cannot be returned."
    assert [reading for _, reading in readings(text, sentence_spans(text), 2)] == ["It cannot be returned."]
