"""Passages that look right and are not: what a search would bring beside, or instead of, the right one.

The product's own retriever fuses BM25 with an embedder. Here only the BM25 half is imitated: embedding a hundred
thousand passages and questions would take longer than the training.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_K1 = 1.5
_B = 0.75


class Bm25:
    """Lucene's BM25 over bags of terms; scores are kept by term, so a query only adds up a few columns.

    Formula: https://cs.uwaterloo.ca/~jimmylin/publications/Kamphuis_etal_ECIR2020_preprint.pdf
    """

    def __init__(self, bags: Iterable[Iterable[str]]) -> None:
        counts = [Counter(bag) for bag in bags]
        self.size = len(counts)
        lengths = [sum(bag.values()) for bag in counts]
        mean = sum(lengths) / max(1, self.size) or 1.0
        rows: dict[str, list[int]] = defaultdict(list)
        weights: dict[str, list[float]] = defaultdict(list)
        for row, (bag, length) in enumerate(zip(counts, lengths, strict=True)):
            for term, n in bag.items():
                rows[term].append(row)
                weights[term].append(n / (_K1 * (1 - _B + _B * length / mean) + n))
        self._columns = {
            term: (np.array(found, np.int32), self.weight_of(len(found)) * np.array(weights[term], np.float32))
            for term, found in rows.items()
        }

    def weight(self, term: str) -> float:
        """Inverse document frequency; a term never seen has the greatest."""
        column = self._columns.get(term)
        return self.weight_of(0 if column is None else len(column[0]))

    def weight_of(self, frequency: int) -> float:
        return math.log(1 + (self.size - frequency + 0.5) / (frequency + 0.5))

    def scores(self, query: Iterable[str]) -> NDArray[np.float32]:
        """(size,) float32, one score a bag."""
        scores = np.zeros(self.size, np.float32)
        for term in query:
            column = self._columns.get(term)
            if column is not None:
                scores[column[0]] += column[1]
        return scores

    def best(self, query: Iterable[str], k: int) -> list[tuple[int, float]]:
        """The ``k`` best bags that share a term with the query, best first, with their scores."""
        scores = self.scores(query)
        k = min(k, self.size)
        top = np.argpartition(-scores, k - 1)[:k] if k else np.empty(0, np.int64)
        return sorted(
            ((int(i), float(scores[i])) for i in top if scores[i] > 0), key=lambda found: (-found[1], found[0])
        )
