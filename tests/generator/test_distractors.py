"""The imitated search: the same scores as the reference BM25, and the same order."""

from __future__ import annotations

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.distractors import Bm25

_TERMS = st.lists(
    st.sampled_from(["lamp", "cable", "shade", "bulb", "switch", "base", "glass", "cord"]), min_size=1, max_size=9
)


@settings(max_examples=30, deadline=None)
@given(st.lists(_TERMS, min_size=2, max_size=8), _TERMS)
def test_scores_are_those_of_the_reference(bags: list[list[str]], query: list[str]) -> None:
    reference = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    reference.index(bags, show_progress=False)
    wanted = sorted(set(query) & {term for bag in bags for term in bag})
    expected = reference.get_scores(wanted) if wanted else np.zeros(len(bags))
    # bm25s keeps float32 sums in another order.
    assert Bm25(bags).scores(set(query)) == pytest.approx(expected, abs=1e-5)


def test_best_come_first_and_strangers_never() -> None:
    index = Bm25([["cable", "lamp"], ["cable", "length", "lamp"], ["shade"], ["glass"]])
    assert [row for row, _ in index.best(["cable", "length"], 3)] == [1, 0]
    assert index.best(["sofa"], 3) == []


def test_empty_index_finds_nothing() -> None:
    assert Bm25([]).best(["lamp"], 5) == []


def test_rare_term_weighs_more_than_a_common_one() -> None:
    index = Bm25([["lamp"], ["lamp"], ["lamp", "cord"]])
    assert index.weight("cord") > index.weight("lamp")
    assert index.weight("sofa") >= index.weight("cord")
