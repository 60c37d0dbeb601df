from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.spelling import SpellingIndex, edit_distance

INDEX = SpellingIndex(["return", "refund", "insur", "registr", "deliveri", "lamp", "4711", "accommod"])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("retrun", "return"), ("refnd", "refund"), ("insurr", "insur"), ("acommodd", "accommod"), ("lamqp", "lamp")],
)
def test_mistyped_term_finds_the_one_meant(typed: str, meant: str) -> None:
    assert INDEX.nearest(typed) == meant


@pytest.mark.parametrize("typed", ["bicycl", "quantum", "lap", "4712", "47111", "", "退货政策"])
def test_strange_short_and_numeric_terms_are_left_alone(typed: str) -> None:
    assert INDEX.nearest(typed) is None


def test_empty_vocabulary_corrects_nothing() -> None:
    assert SpellingIndex([]).nearest("return") is None


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edit_distance_is_symmetric_and_bounded(left: str, right: str) -> None:
    distance = edit_distance(left, right)
    assert distance == edit_distance(right, left)
    assert abs(len(left) - len(right)) <= distance <= max(len(left), len(right))
    assert (distance == 0) == (left == right)


def test_swapped_neighbours_are_one_edit() -> None:
    assert edit_distance("retrun", "return") == 1
