from __future__ import annotations

from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retriever import lexical
from retriever.lexical import LexicalIndex, inverse_document_frequency

CORPUS = [
    ["lamp", "warranty", "five", "year"],
    ["return", "item", "thirti", "day", "item"],
    ["lamp", "return"],
    ["ship", "parcel", "norway", "lamp", "lamp", "lamp"],
]


def all_scores(index: LexicalIndex, weights: dict[str, float]) -> NDArray[np.float32]:
    return index.scores(weights, np.arange(index.passages))


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
    np.testing.assert_allclose(all_scores(index, weigh(index, query)), reference.get_scores(query), rtol=1e-3)


def test_unknown_term_scores_nothing() -> None:
    index = LexicalIndex.build(CORPUS)
    assert index.frequency("bicycle") == 0
    assert not all_scores(index, {"bicycle": 3.0}).any()
    assert len(index.best({"bicycle": 3.0}, 5)) == 0


@pytest.mark.parametrize("corpus", [[], [[]], [[], []]])
def test_corpus_without_terms_can_be_built_saved_and_searched(corpus: list[list[str]], tmp_path: Path) -> None:
    index = LexicalIndex.build(corpus)
    index.write(tmp_path)
    again = LexicalIndex.read(tmp_path, len(corpus))
    assert all_scores(again, {"lamp": 1.0}).tolist() == [0.0] * len(corpus)
    assert len(again.best({"lamp": 1.0}, 5)) == 0


def test_passage_without_terms_keeps_its_row() -> None:
    index = LexicalIndex.build([["lamp"], [], ["parcel"]])
    assert index.best({"parcel": 1.0}, 5).tolist() == [2]


def test_index_read_back_scores_the_same(tmp_path: Path) -> None:
    index = LexicalIndex.build(CORPUS)
    index.write(tmp_path)
    again = LexicalIndex.read(tmp_path, len(CORPUS))
    weights = weigh(index, ["lamp", "item"])
    np.testing.assert_array_equal(all_scores(again, weights), all_scores(index, weights))
    np.testing.assert_array_equal(again.best(weights, 2), index.best(weights, 2))
    assert again.vocabulary == index.vocabulary


def test_rare_term_weighs_more_and_never_less_than_nothing() -> None:
    assert inverse_document_frequency(1, 100) > inverse_document_frequency(50, 100)
    assert inverse_document_frequency(100, 100) > 0


@pytest.fixture(scope="module")
def large() -> LexicalIndex:
    """30,000 passages of words as unevenly frequent as in a language; the commonest stand in more than 5,000."""
    draws = np.random.default_rng(3).zipf(1.3, size=(30_000, 12)) % 5_000
    return LexicalIndex.build([[f"t{word}" for word in passage] for passage in draws])


@pytest.mark.parametrize("query", [["t1", "t2", "t3", "t900"], ["t1"], ["t1", "t2"], ["t40", "t1", "t7"], ["t4321"]])
@pytest.mark.parametrize("share", [1.0, 0.3, 0.001, 0.0])
def test_best_are_those_of_all_scores_also_where_lists_are_left_unread(
    large: LexicalIndex, query: list[str], share: float
) -> None:
    weights = weigh(large, query)
    allowed = np.random.default_rng(4).random(large.passages) < share
    found = large.best(weights, 50, None if share == 1.0 else allowed)
    scores = np.where(allowed, all_scores(large, weights), 0.0)
    best = np.sort(scores[scores > 0])[-50:]
    assert share == 1.0 or allowed[found].all()
    assert len(set(found.tolist())) == len(found)
    np.testing.assert_allclose(np.sort(scores[found]), best, rtol=1e-5)


def test_long_lists_are_left_unread_once_they_cannot_add_a_passage(large: LexicalIndex) -> None:
    assert large.frequency("t1") > lexical._LONG
    weights = {"t900": 100.0, "t1": 0.01}
    rare = np.flatnonzero(all_scores(large, {"t900": 1.0}))
    assert set(large.best(weights, 5).tolist()) <= set(rare.tolist())


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fewer_are_returned_when_fewer_are_wanted(count: int) -> None:
    index = LexicalIndex.build(CORPUS)
    assert len(index.best(weigh(index, ["lamp", "item"]), count)) == count


def test_building_in_blocks_gives_the_same_index(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = LexicalIndex.build(CORPUS * 3)
    monkeypatch.setattr(lexical, "_BLOCK", 5)
    blocks = LexicalIndex.build(CORPUS * 3)
    assert blocks.vocabulary == whole.vocabulary
    for name in ("starts", "rows", "saturations", "peaks"):
        np.testing.assert_array_equal(getattr(blocks, name), getattr(whole, name))
