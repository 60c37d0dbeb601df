from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import StorageFull
from domain.protocols import Vectors
from retriever.dense import DenseIndex

ROWS, DIMENSION = 3000, 32


def unit(rows: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIMENSION)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


VECTORS = unit(ROWS, 1)
ALL: NDArray[np.bool_] = np.ones(ROWS, dtype=np.bool_)


@pytest.fixture(scope="module", params=["flat", "inverted lists"])
def index(request: pytest.FixtureRequest) -> DenseIndex:
    return DenseIndex.build(VECTORS, flat_limit=ROWS if request.param == "flat" else ROWS - 1)


def test_each_row_finds_itself(index: DenseIndex) -> None:
    assert [int(index.search(VECTORS[row], 1, ALL)[0]) for row in range(0, ROWS, 100)] == list(range(0, ROWS, 100))


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_masked_rows_are_never_found_and_k_stays_full(index: DenseIndex, share: float) -> None:
    allowed = np.random.default_rng(2).random(ROWS) < share
    for query in unit(5, 3):
        rows = index.search(query, 10, allowed)
        exact = np.flatnonzero(allowed)[np.argsort(-(VECTORS[allowed] @ query))[:10]]
        assert allowed[rows].all()
        assert len(rows) == 10
        assert len(set(rows) & set(exact)) >= 9  # inverted lists keep 16 bits


def test_fewer_allowed_rows_than_wanted_give_those(index: DenseIndex) -> None:
    allowed = np.zeros(ROWS, dtype=np.bool_)
    allowed[[7, 70, 700]] = True
    assert sorted(index.search(VECTORS[0], 10, allowed)) == [7, 70, 700]
    assert len(index.search(VECTORS[0], 10, np.zeros(ROWS, dtype=np.bool_))) == 0


def test_cosines_are_those_of_the_rows_asked_for(index: DenseIndex) -> None:
    rows = np.array([5, 1, 2999])
    np.testing.assert_allclose(index.cosines(VECTORS[5], rows), VECTORS[rows] @ VECTORS[5], atol=2e-3)
    assert index.cosines(VECTORS[5], np.empty(0, dtype=np.int64)).shape == (0,)


def test_index_read_back_is_the_same(index: DenseIndex, tmp_path: Path) -> None:
    index.write(tmp_path / "dense.faiss")
    again = DenseIndex.read(tmp_path / "dense.faiss")
    assert (again.rows, again.dimension) == (ROWS, DIMENSION)
    np.testing.assert_array_equal(again.search(VECTORS[3], 5, ALL), index.search(VECTORS[3], 5, ALL))


def test_probing_finds_most_of_what_an_exact_search_does_also_under_a_mask() -> None:
    rows = 25_000  # more than are scanned exactly
    centres = unit(200, 4)[np.random.default_rng(5).integers(200, size=rows)]
    vectors = centres + 0.6 * unit(rows, 6)
    vectors = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
    flat, lists = DenseIndex.build(vectors), DenseIndex.build(vectors, flat_limit=0)
    allowed = np.random.default_rng(7).random(rows) < 0.9
    queries = vectors[::1000]
    shared = [len(set(flat.search(q, 10, allowed)) & set(lists.search(q, 10, allowed))) for q in queries]
    assert np.mean(shared) >= 9
    assert all(allowed[lists.search(q, 10, allowed)].all() for q in queries)


def test_empty_index_finds_nothing() -> None:
    empty = DenseIndex.build(np.zeros((0, DIMENSION), dtype=np.float32))
    assert len(empty.search(VECTORS[0], 5, np.zeros(0, dtype=np.bool_))) == 0


def test_failed_write_says_that_the_disk_is_at_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageFull):
        DenseIndex.build(VECTORS[:10]).write(tmp_path / "missing" / "dense.faiss")
