"""The dense half of the search: FAISS over unit vectors, so that an inner product is a cosine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss as _typed_faiss
import numpy as np
from numpy.typing import NDArray

from domain.errors import StorageFull
from domain.protocols import Vectors
from retriever.arrays import RowFile, save_rows

faiss: Any = _typed_faiss  # its type hints describe the C++ signatures, not the Python ones

# Up to here an exact scan takes two milliseconds on one core. Above it, short codes are scanned instead and
# only the best of them are compared exactly.
FLAT_LIMIT = 10_000
_CODE_BITS = 2  # of each coordinate; the first is scanned for every row, the second for promising rows
_RESCORED = 200  # rows compared exactly, and twice as many as are wanted if that is more
# A filter that leaves no more rows than this is answered from the exact vectors.
_EXACT_BELOW = 2_000
_BLOCK = 20_000  # rows in memory at once while building
_TRAINING_ROWS = 10_000  # their mean is the centre of the codes; more cost memory and find nothing more
_SEED = 17  # of the rotation; a rebuilt index is the same index


class DenseIndex:
    """An immutable index whose row numbers are the caller's. Safe to search from several threads.

    Small ones are exact: 32-bit vectors, all compared. Large ones hold RaBitQ codes, a twelfth of the size, all
    scanned; the vectors themselves stay in a file in 16 bits, and those with the best codes are read and compared.
    There are no lists or graphs to train, to miss rows, or to starve under a filter.

    Source: Gao and Long 2024, https://arxiv.org/abs/2405.12497, and with more bits https://arxiv.org/abs/2409.09913.

    Args:
        vectors: (rows, dimension), what a coded index compares exactly; None when ``index`` holds the vectors itself.
    """

    def __init__(self, index: Any, vectors: NDArray[Any] | RowFile | None = None) -> None:
        self._index = index
        self._vectors = vectors

    @classmethod
    def build(cls, vectors: Vectors, flat_limit: int = FLAT_LIMIT) -> DenseIndex:
        """``vectors``: (rows, dimension) float32, L2-normalised; row i of the index is row i of it.

        A memory-mapped array is read in blocks. A coded index keeps it, to compare exactly and to be written.
        """
        rows, dimension = vectors.shape
        if rows <= flat_limit:
            index = faiss.IndexFlatIP(dimension)
            index.add(np.ascontiguousarray(vectors))
            return cls(index)
        index = _make_coded(vectors[:: max(1, rows // _TRAINING_ROWS)])
        for block in _blocks(vectors):
            index.add(block)
        return cls(index, vectors)

    @classmethod
    def read(cls, path: Path) -> DenseIndex:
        """The caller has verified the files' hashes: FAISS files carry no checksum of their own."""
        index = faiss.read_index(str(path))
        return cls(index, RowFile(_rows_path(path)) if _rows_path(path).exists() else None)

    def write(self, path: Path) -> None:
        """A coded index has a second file beside it, with its vectors.

        Raises:
            StorageFull: FAISS reports every failed write as a RuntimeError; the partial file is the caller's to remove.
        """
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise StorageFull(f"The vector index could not be written: {error}", "Free space and try again.") from error
        if self._vectors is not None:
            save_rows(_rows_path(path), _blocks(self._vectors), self._vectors.shape)

    @staticmethod
    def explain(rows: int) -> str:
        """Which index so many rows get and why, for people."""
        if rows <= FLAT_LIMIT:
            return f"exact: {rows} vectors are compared one by one, as up to {FLAT_LIMIT} are"
        return (
            f"coded: above {FLAT_LIMIT} vectors, codes of {_CODE_BITS} bits a coordinate are scanned for all {rows} "
            "and the best are compared exactly"
        )

    @property
    def rows(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """The best ``k`` allowed rows, best first; fewer when fewer are allowed.

        Args:
            query: (dimension,) float32.
            allowed: (rows,) mask, applied inside the search; None allows every row and costs nothing.
        """
        count = self.rows if allowed is None else int(np.count_nonzero(allowed))
        if count == 0 or k <= 0:
            return np.empty(0, dtype=np.int64)
        if self._vectors is None:
            return self._scan(query, min(k, count), allowed, faiss.SearchParameters)
        wanted = max(_RESCORED, 2 * k)
        if count <= max(wanted, _EXACT_BELOW):
            near = np.arange(count) if allowed is None else np.flatnonzero(allowed)
        else:
            near = np.sort(self._scan(query, wanted, allowed, _coded_parameters))  # the file is read in its order
        return near[np.argsort(-self.cosines(query, near), kind="stable")[:k]]

    def cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows),) cosines of the query with these rows."""
        if len(rows) == 0:
            return np.empty(0, dtype=np.float32)
        vectors = self._index.reconstruct_batch(rows) if self._vectors is None else self._vectors[rows]
        return np.asarray(vectors @ query, dtype=np.float32)

    def _scan(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None, parameters: Any
    ) -> NDArray[np.int64]:
        if allowed is None or allowed.all():
            settings = parameters()
        else:
            bitmap = np.packbits(allowed, bitorder="little")
            settings = parameters(sel=faiss.IDSelectorBitmap(bitmap))
        with _one_core():
            _, found = self._index.search(query[np.newaxis], k, params=settings)
        return np.asarray(found[0][found[0] >= 0], dtype=np.int64)  # -1 fills up when too few rows were met


@contextmanager
def _one_core() -> Iterator[None]:
    """For this thread only. One query has nothing to share out, and the idle threads would wait for work by spinning:
    they doubled what a search costs."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _make_coded(sample: Vectors) -> Any:
    """An empty index of codes around the mean, after a random rotation that spreads the information evenly."""
    index = faiss.index_factory(sample.shape[1], f"RR,IVF1,RaBitQfs{_CODE_BITS}", faiss.METRIC_INNER_PRODUCT)
    rotation = faiss.downcast_VectorTransform(index.chain.at(0))
    rotation.init(_SEED)
    rotated = rotation.apply(np.ascontiguousarray(sample, dtype=np.float32))
    coded = faiss.extract_index_ivf(index)
    # The only list's centre is set by hand: k-means would divide by the length of the mean, which may be zero.
    coded.quantizer.add(rotated.mean(axis=0, keepdims=True))
    coded.train(rotated)
    index.is_trained = True
    return index


def _coded_parameters(**selector: Any) -> Any:
    return faiss.SearchParametersPreTransform(index_params=faiss.SearchParametersIVF(nprobe=1, **selector))


def _blocks(vectors: NDArray[Any] | RowFile) -> Iterator[Vectors]:
    for start in range(0, vectors.shape[0], _BLOCK):
        yield np.ascontiguousarray(vectors[start : start + _BLOCK], dtype=np.float32)


def _rows_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_rows.npy")
