"""The dense half of the search: FAISS over unit vectors, so that an inner product is a cosine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss as _typed_faiss
import numpy as np
from numpy.typing import NDArray

from domain.errors import StorageFull
from domain.protocols import Vectors

faiss: Any = _typed_faiss  # its type hints describe the C++ signatures, not the Python ones

# Up to here an exact scan takes a few milliseconds on one core and needs no training; above it, inverted lists
# are probed and only part of the vectors is read.
FLAT_LIMIT = 200_000
# A filter that leaves fewer rows than this is scanned exactly, because probing would mostly visit masked rows.
_EXACT_BELOW = 20_000
_PROBED_SHARE = 1 / 16  # of the inverted lists
_TRAINING_ROWS_PER_LIST = 64
_TRAINING_ROUNDS = 10  # of k-means; more moves the lists little and costs minutes on two cores


class DenseIndex:
    """An immutable FAISS index whose row numbers are the caller's. Safe to search from several threads."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: Vectors, flat_limit: int = FLAT_LIMIT) -> DenseIndex:
        """``vectors``: (rows, dimension) float32, L2-normalised; row i of the index is row i of it."""
        rows, dimension = vectors.shape
        if rows <= flat_limit:
            index = faiss.IndexFlatIP(dimension)
        else:
            lists = max(1, int(2 * rows**0.5))
            index = faiss.index_factory(dimension, f"IVF{lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
            index.cp.niter = _TRAINING_ROUNDS
            step = max(1, rows // (lists * _TRAINING_ROWS_PER_LIST))
            index.train(np.ascontiguousarray(vectors[::step]))
            index.set_direct_map_type(faiss.DirectMap.Array)  # lets a row be read back by its number
        index.add(np.ascontiguousarray(vectors))
        return cls(index)

    @classmethod
    def read(cls, path: Path) -> DenseIndex:
        """The caller has verified the file's hash: FAISS files carry no checksum of their own."""
        return cls(faiss.read_index(str(path)))

    def write(self, path: Path) -> None:
        """
        Raises:
            StorageFull: FAISS reports every failed write as a RuntimeError; the partial file is the caller's to remove.
        """
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise StorageFull(f"The vector index could not be written: {error}", "Free space and try again.") from error

    @property
    def rows(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The best ``k`` allowed rows, best first; fewer when fewer are allowed.

        Args:
            query: (dimension,) float32, L2-normalised.
            allowed: (rows,) mask, applied inside the search.
        """
        count = int(np.count_nonzero(allowed))
        if count == 0 or k <= 0:
            return np.empty(0, dtype=np.int64)
        is_flat = isinstance(self._index, faiss.IndexFlat)
        if not is_flat and count < _EXACT_BELOW:
            rows = np.flatnonzero(allowed)
            return rows[np.argsort(-self.cosines(query, rows), kind="stable")[:k]]
        bitmap = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(bitmap)
        parameters = faiss.SearchParameters(sel=selector) if is_flat else self._probing(selector)
        _, found = self._index.search(query[np.newaxis], min(k, count), params=parameters)
        return np.asarray(found[0][found[0] >= 0], dtype=np.int64)  # -1 fills up when too few rows were met

    def cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows),) cosines of the query with these rows."""
        if len(rows) == 0:
            return np.empty(0, dtype=np.float32)
        vectors = self._index.reconstruct_batch(rows)  # (len(rows), dimension)
        return np.asarray(vectors @ query, dtype=np.float32)

    def _probing(self, selector: Any) -> Any:
        probes = max(8, int(self._index.nlist * _PROBED_SHARE))
        return faiss.SearchParametersIVF(sel=selector, nprobe=probes)
