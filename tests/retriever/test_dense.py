from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import StorageFull
from domain.protocols import Vectors
from retriever import dense
from retriever.dense import FLAT_LIMIT, DenseIndex

ROWS, DIMENSION = 3000, 32


def unit(rows: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIMENSION)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


VECTORS = unit(ROWS, 1)
ALL: NDArray[np.bool_] = np.ones(ROWS, dtype=np.bool_)


@pytest.fixture(scope="module", params=["exact", "coded"])
def index(request: pytest.FixtureRequest) -> DenseIndex:
    return DenseIndex.build(VECTORS, flat_limit=ROWS if request.param == "exact" else ROWS - 1)


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
        assert len(set(rows) & set(exact)) >= 9  # a coded index keeps 16 bits


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


@pytest.fixture(scope="module")
def clustered() -> Vectors:
    """200 matters, each told 100 times over: the nearest rows differ by little."""
    vectors = unit(200, 4)[np.random.default_rng(5).integers(200, size=20_000)] + 0.6 * unit(20_000, 6)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@pytest.mark.parametrize("share", [1.0, 0.9, 0.2])
def test_coded_search_finds_what_an_exact_one_does_also_under_a_mask(clustered: Vectors, share: float) -> None:
    exact, coded = DenseIndex.build(clustered, len(clustered)), DenseIndex.build(clustered, flat_limit=0)
    allowed = np.random.default_rng(7).random(len(clustered)) < share
    queries = clustered[::500]
    shared = [len(set(exact.search(q, 10, allowed)) & set(coded.search(q, 10, allowed))) for q in queries]
    assert np.mean(shared) >= 9.8
    assert all(allowed[coded.search(q, 100, allowed)].all() for q in queries)
    assert all(len(coded.search(q, 150, allowed)) == 150 for q in queries)


def test_no_mask_is_a_mask_that_allows_all(index: DenseIndex) -> None:
    np.testing.assert_array_equal(index.search(VECTORS[3], 20), index.search(VECTORS[3], 20, ALL))


def test_query_of_another_length_finds_the_same_rows(index: DenseIndex) -> None:
    query = VECTORS[4]
    np.testing.assert_array_equal(index.search(query * 2, 5), index.search(query, 5))


def test_several_threads_find_the_same_as_one(index: DenseIndex) -> None:
    expected = [index.search(query, 10).tolist() for query in VECTORS[:40]]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda query: index.search(query, 10).tolist(), VECTORS[:40])) == expected


@pytest.mark.parametrize("vectors", [np.zeros((ROWS, DIMENSION), np.float32), np.repeat(VECTORS[:1], ROWS, axis=0)])
def test_rows_that_are_all_alike_can_be_indexed(vectors: Vectors) -> None:
    coded = DenseIndex.build(vectors, flat_limit=0)
    assert len(set(coded.search(VECTORS[0], 10).tolist())) == 10
    assert np.isfinite(coded.cosines(VECTORS[0], np.arange(5))).all()


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_coded_index_of_a_few_rows_is_exact(rows: int) -> None:
    found = DenseIndex.build(VECTORS[:rows], flat_limit=0).search(VECTORS[50], 10)
    np.testing.assert_array_equal(found, np.argsort(-(VECTORS[:rows] @ VECTORS[50]))[:10])


def test_coded_index_is_built_from_a_file_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "_BLOCK", 700)
    VECTORS.tofile(tmp_path / "waiting")
    mapped = np.memmap(tmp_path / "waiting", dtype=np.float32, mode="r", shape=VECTORS.shape)
    built, whole = DenseIndex.build(mapped, flat_limit=0), DenseIndex.build(VECTORS, flat_limit=0)
    built.write(tmp_path / "dense.faiss")
    (tmp_path / "waiting").unlink()
    again = DenseIndex.read(tmp_path / "dense.faiss")
    for query in VECTORS[:5]:
        np.testing.assert_array_equal(again.search(query, 10), whole.search(query, 10))


def test_the_kind_of_index_follows_the_rows_and_is_explained() -> None:
    assert DenseIndex.explain(FLAT_LIMIT).startswith("exact")
    assert DenseIndex.explain(FLAT_LIMIT + 1).startswith("coded")


def test_empty_index_finds_nothing() -> None:
    empty = DenseIndex.build(np.zeros((0, DIMENSION), dtype=np.float32))
    assert len(empty.search(VECTORS[0], 5, np.zeros(0, dtype=np.bool_))) == 0


def test_failed_write_says_that_the_disk_is_at_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageFull):
        DenseIndex.build(VECTORS[:10]).write(tmp_path / "missing" / "dense.faiss")
