from __future__ import annotations

from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.lexical import LexicalIndex, inverse_document_frequency

CORPUS = [
    ["lamp", "warranty", "five", "year"],
    ["return", "item", "thirti", "day", "item"],
    ["lamp", "return"],
    ["ship", "parcel", "norway", "lamp", "lamp", "lamp"],
]


def weigh(index: LexicalIndex, terms: list[str]) -> dict[str, float]:
    return {
        term: count * inverse_document_frequency(index.frequency(term), index.passages)
        for term, count in Counter(terms).items()
    }


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12), min_size=1, max_size=8))
def test_scores_are_those_of_a_reference_implementation(corpus: list[list[str]]) -> None:
    reference = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    reference.index(corpus, show_progress=False)
    index = LexicalIndex.build(corpus)
    query = sorted({term for passage in corpus for term in passage})[:4]
    np.testing.assert_allclose(index.scores(weigh(index, query)), reference.get_scores(query), rtol=1e-4)


def test_unknown_term_scores_nothing() -> None:
    index = LexicalIndex.build(CORPUS)
    assert index.frequency("bicycle") == 0
    assert not index.scores({"bicycle": 3.0}).any()


@pytest.mark.parametrize("corpus", [[], [[]], [[], []]])
def test_corpus_without_terms_can_be_built_saved_and_searched(corpus: list[list[str]], tmp_path: Path) -> None:
    index = LexicalIndex.build(corpus)
    index.write(tmp_path)
    assert LexicalIndex.read(tmp_path, len(corpus)).scores({"lamp": 1.0}).tolist() == [0.0] * len(corpus)


def test_passage_without_terms_keeps_its_row() -> None:
    index = LexicalIndex.build([["lamp"], [], ["parcel"]])
    assert index.scores({"parcel": 1.0}).argmax() == 2


def test_index_read_back_scores_the_same(tmp_path: Path) -> None:
    index = LexicalIndex.build(CORPUS)
    index.write(tmp_path)
    again = LexicalIndex.read(tmp_path, len(CORPUS))
    weights = weigh(index, ["lamp", "item"])
    np.testing.assert_array_equal(again.scores(weights), index.scores(weights))
    assert again.vocabulary == index.vocabulary


def test_rare_term_weighs_more_and_never_less_than_nothing() -> None:
    assert inverse_document_frequency(1, 100) > inverse_document_frequency(50, 100)
    assert inverse_document_frequency(100, 100) > 0
