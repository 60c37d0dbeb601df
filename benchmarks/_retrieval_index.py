"""Recall against latency, memory and build time of the index types that were candidates for the dense half."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import faiss as _typed_faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks._retrieval_corpus import exact_best, jittered
from domain.protocols import Vectors
from retriever import dense
from retriever.dense import DenseIndex

faiss: Any = _typed_faiss
_K = 10


def compare_indexes(real: Vectors, count: int, queries: Vectors) -> list[dict[str, Any]]:
    """A point for each setting of each index. One query at a time on one thread."""
    vectors = np.concatenate(list(jittered(real, count)))
    exact = exact_best(real, count, queries, _K)
    points: list[dict[str, Any]] = []
    for name, build, settings in _candidates(vectors):
        faiss.omp_set_num_threads(2)
        started = time.perf_counter()
        index, size = build()
        seconds = time.perf_counter() - started
        faiss.omp_set_num_threads(1)
        for label, search in settings(index):
            points.append(
                {
                    "index": name,
                    "setting": label,
                    "build_seconds": round(seconds, 1),
                    "bytes_per_row": round(size / count),
                    **_measure(search, queries, exact),
                }
            )
            print(points[-1], flush=True)
        del index
    return points


def _measure(
    search: Callable[[NDArray[np.float32]], NDArray[np.int64]], queries: Vectors, exact: NDArray[np.int64]
) -> dict[str, float]:
    """Time of the one core that searches: a busy machine stretches it little."""
    search(queries[0])
    times, found = [], 0
    for query, best in zip(queries, exact, strict=True):
        started = time.thread_time()
        rows = search(query)
        times.append(time.thread_time() - started)
        found += len(set(rows[:_K].tolist()) & set(best.tolist()))
    return {"p50_ms": median(times) * 1000, "recall_at_10": found / exact.size}


def _candidates(vectors: Vectors) -> Iterator[tuple[str, Callable[[], tuple[Any, int]], Callable[[Any], Any]]]:
    lists = int(2 * len(vectors) ** 0.5)
    probes = [lists // 32, lists // 16, lists // 8, lists // 4]
    for name, recipe in (("exact, 32 bits", "Flat"), ("exact, 16 bits", "SQfp16"), ("exact, 8 bits", "SQ8")):
        yield name, lambda recipe=recipe: _factory(recipe, vectors), lambda index: [("all", _plain(index, None))]
    yield (
        "inverted lists, 8 bits",
        lambda: _factory(f"IVF{lists},SQ8", vectors),
        lambda index: [(f"{n} of {lists}", _plain(index, faiss.SearchParametersIVF(nprobe=n))) for n in probes],
    )
    yield (
        "HNSW32, 8 bits",
        lambda: _factory("HNSW32_SQ8", vectors),
        lambda index: [(f"ef {n}", _plain(index, faiss.SearchParametersHNSW(efSearch=n))) for n in (32, 64, 128, 256)],
    )
    yield (
        "product codes, best compared",
        lambda: _factory(f"PQ{vectors.shape[1] // 4}x4fs", vectors),
        lambda index: [(f"{n} compared", _refined(index, vectors, n)) for n in (100, 400, 1000)],
    )
    yield "coded (ours)", lambda: _ours(vectors), lambda index: [(f"{n} compared", _coded(index, n)) for n in _COMPARED]


_COMPARED = (100, 200, 400, 800)


def _factory(recipe: str, vectors: Vectors) -> tuple[Any, int]:
    index = faiss.index_factory(vectors.shape[1], recipe, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(vectors) // 50_000)].copy())
    index.add(vectors)
    return index, faiss.serialize_index(index).nbytes


def _ours(vectors: Vectors) -> tuple[DenseIndex, int]:
    index = DenseIndex.build(vectors, flat_limit=0)
    return index, faiss.serialize_index(index._index).nbytes


def _plain(index: Any, parameters: Any) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    return lambda query: index.search(query[np.newaxis], _K, params=parameters)[1][0]


def _refined(index: Any, vectors: Vectors, count: int) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    kept = vectors.astype(np.float16)

    def search(query: NDArray[np.float32]) -> NDArray[np.int64]:
        rows = np.sort(index.search(query[np.newaxis], count)[1][0])
        return np.asarray(rows[np.argsort(-(kept[rows].astype(np.float32) @ query))[:_K]])

    return search


def _coded(index: DenseIndex, count: int) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    def search(query: NDArray[np.float32]) -> NDArray[np.int64]:
        dense._RESCORED = count
        return index.search(query, _K)

    return search
