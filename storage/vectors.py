"""Vectors by (embedder fingerprint, hash of the embedded text), so that nothing is embedded twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, select

from storage.tables import vectors
from storage.transactions import chunked, insert_missing, reading, writing

_STORED = np.dtype("<f2")  # half precision: unit vectors lose less than 5e-4 per component, and the table halves


class VectorStore:
    """Vectors outlive replaced passages on purpose: a text that comes back costs nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get_many(self, fingerprint: str, hashes: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The stored ones of ``hashes``; each value is (dimension,) float32 with float16 precision."""
        found: dict[str, NDArray[np.float32]] = {}
        with reading(self._engine) as connection:
            for some in chunked(dict.fromkeys(hashes)):
                query = select(vectors.c.search_hash, vectors.c.data).where(
                    vectors.c.fingerprint == fingerprint, vectors.c.search_hash.in_(some)
                )
                found.update({row.search_hash: _from_bytes(row.data) for row in connection.execute(query)})
        return found

    def put_many(
        self, fingerprint: str, vectors_by_hash: Mapping[str, NDArray[np.float32]], *, replace: bool = False
    ) -> None:
        """Store (dimension,) arrays; those that are there already stay as they are, unless they are to be replaced."""
        with writing(self._engine) as connection:
            if replace:
                for some in chunked(vectors_by_hash):
                    known = (vectors.c.fingerprint == fingerprint, vectors.c.search_hash.in_(some))
                    connection.execute(delete(vectors).where(*known))
            write_vectors(connection, fingerprint, vectors_by_hash)


def write_vectors(connection: Connection, fingerprint: str, vectors_by_hash: Mapping[str, NDArray[np.float32]]) -> None:
    """As ``put_many``, inside the caller's transaction. Sorted, so that two writers cannot deadlock."""
    rows = [
        {"fingerprint": fingerprint, "search_hash": search_hash, "data": _to_bytes(vector)}
        for search_hash, vector in sorted(vectors_by_hash.items(), key=lambda item: item[0])
    ]
    insert_missing(connection, vectors, rows)


def _to_bytes(vector: NDArray[np.float32]) -> bytes:
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError(f"A vector must be one finite row, not of shape {vector.shape}.")
    return vector.astype(_STORED).tobytes()


def _from_bytes(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, dtype=_STORED).astype(np.float32)
