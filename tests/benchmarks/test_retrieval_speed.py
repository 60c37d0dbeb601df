from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from benchmarks._plot import plot_lines
from benchmarks._retrieval_corpus import _pieces, exact_best, jittered


def unit(rows: int) -> np.ndarray:
    vectors = np.random.default_rng(2).normal(size=(rows, 24)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_real_vectors_come_first_and_copies_stay_near_theirs() -> None:
    real = unit(300)
    vectors = np.concatenate(list(jittered(real, 900)))
    np.testing.assert_array_equal(vectors[:300], real)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    cosines = (vectors[300:600] * real).sum(axis=1)
    assert 0.8 < cosines.mean() < 0.99


def test_exact_search_over_blocks_is_that_over_all() -> None:
    real = unit(50)
    queries = unit(60)[50:]
    vectors = np.concatenate(list(jittered(real, 45_000)))
    scores = queries @ vectors.T
    found = exact_best(real, 45_000, queries, 5)
    # Copies may be equal, so the products are compared and not the rows.
    np.testing.assert_allclose(np.take_along_axis(scores, found, 1), -np.sort(-scores, axis=1)[:, :5], atol=1e-5)


def test_passages_have_at_most_the_wanted_words_and_lose_none_but_a_short_rest() -> None:
    text = "\n".join("word " * 30 for _ in range(5))
    assert [len(piece.split()) for piece in _pieces(text, 60)] == [60, 60, 30]
    assert list(_pieces("too short", 60)) == []


def test_plot_is_well_formed_with_a_line_and_a_name_for_each_index(tmp_path: Path) -> None:
    lines = {"exact & slow": [(10.0, 1.0)], "coded": [(1.0, 0.98), (2.5, 0.995)]}
    plot_lines(tmp_path / "plot.svg", "Title", "ms", "recall", lines)
    text = "".join(ElementTree.parse(tmp_path / "plot.svg").getroot().itertext())
    assert "exact & slow" in text
    assert "coded" in text
