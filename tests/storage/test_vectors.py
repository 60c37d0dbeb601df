"""Vectors come back as they went in, to half precision."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Engine, select

from storage.tables import vectors as vector_table
from storage.vectors import VectorStore

RNG = np.random.default_rng(7)


def _unit(dimension: int = 384) -> np.ndarray:
    vector = RNG.normal(size=dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def test_vectors_come_back_with_the_precision_of_float16(vectors: VectorStore, engine: Engine) -> None:
    stored = {f"hash{number}": _unit() for number in range(3)}
    vectors.put_many("minilm", stored)
    found = vectors.get_many("minilm", [*stored, "missing"])
    assert set(found) == set(stored)
    for name, vector in stored.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], vector, atol=5e-4)
        assert abs(float(found[name] @ vector) - 1) < 1e-3
    with engine.connect() as connection:
        assert {len(data) for data in connection.execute(select(vector_table.c.data)).scalars()} == {384 * 2}


def test_fingerprints_keep_their_vectors_apart(vectors: VectorStore) -> None:
    one, other = _unit(16), _unit(24)
    vectors.put_many("small", {"hash": one})
    vectors.put_many("large", {"hash": other})
    assert vectors.get_many("small", ["hash"])["hash"].shape == (16,)
    assert vectors.get_many("large", ["hash"])["hash"].shape == (24,)
    assert vectors.get_many("unknown", ["hash"]) == {}


def test_putting_again_keeps_the_first(vectors: VectorStore) -> None:
    first = _unit()
    vectors.put_many("minilm", {"hash": first})
    vectors.put_many("minilm", {"hash": _unit(), "new": _unit()})
    np.testing.assert_allclose(vectors.get_many("minilm", ["hash"])["hash"], first, atol=5e-4)
    assert len(vectors.get_many("minilm", ["hash", "new"])) == 2


def test_more_hashes_than_one_statement_may_hold(vectors: VectorStore) -> None:
    many = {f"hash{number}": np.ones(4, dtype=np.float32) for number in range(1201)}
    vectors.put_many("tiny", many)
    assert set(vectors.get_many("tiny", [*many, *(f"missing{number}" for number in range(2_000))])) == set(many)


def test_nothing_in_nothing_out(vectors: VectorStore) -> None:
    vectors.put_many("minilm", {})
    assert vectors.get_many("minilm", []) == {}


@pytest.mark.parametrize("wrong", [np.full(4, np.inf), np.full(4, np.nan), np.zeros((2, 4))])
def test_what_is_no_vector_is_refused(vectors: VectorStore, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite row"):
        vectors.put_many("minilm", {"hash": wrong.astype(np.float32)})
