from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import count_words, normalise, sentence_spans, sentences, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 3.50 EUR, e.g. for tea. Ask Mr. Smith!", ["It costs 3.50 EUR, e.g. for tea.", "Ask Mr. Smith!"]),
        ("Is it? No. It is not.", ["Is it?", "No.", "It is not."]),
        ("See No. 5 and max. 20 kg.", ["See No. 5 and max. 20 kg."]),
        ("你好。再见！好", ["你好。", "再见！", "好"]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("Heading\n\n- one\n- two\n1. three", ["Heading", "- one", "- two", "1. three"]),
        ("It is for zone A. Lamps cost more.", ["It is for zone A.", "Lamps cost more."]),
        ("We serve zones A, B and C. Lamps go by post.", ["We serve zones A, B and C.", "Lamps go by post."]),
        ("Zone: A. Lamps cost more.", ["Zone: A.", "Lamps cost more."]),
        ("Choose letter C. You may change it.", ["Choose letter C.", "You may change it."]),
        ("Ask J. Smith or P. R. Jones. They know.", ["Ask J. Smith or P. R. Jones.", "They know."]),
        ("Made by A. The Otter", ["Made by A.", "The Otter"]),
        ("A. Lamps", ["A. Lamps"]),
        ("Version 2.0 works", ["Version 2.0 works"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text())
def test_sentence_spans_are_ordered_trimmed_and_lose_no_word(text: str) -> None:
    spans = sentence_spans(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(span.of(text) == span.of(text).strip() != "" for span in spans)
    assert "".join("".join(span.of(text) for span in spans).split()) == "".join(text.split())


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_normalised_text_can_be_stored_anywhere(text: str) -> None:
    clean = normalise(text)
    clean.encode("utf-8")
    assert "\x00" not in clean
    assert normalise(clean) == clean


def test_words_keep_prices_and_contractions_whole_and_count_cjk_characters() -> None:
    assert words("Don't pay 9.90 EUR at 12:30!") == ["Don't", "pay", "9.90", "EUR", "at", "12:30"]
    assert count_words("三十天 days") == 4
