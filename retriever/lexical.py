"""The lexical half of the search: BM25 over a sparse matrix of terms and passages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.arrays import load_array, save_array

K1 = 1.5
B = 0.75
_ARRAYS = ("starts", "rows", "saturations", "peaks")
# Before a list longer than this is read, it is worth to look whether it can still bring a new passage.
_LONG = 5_000
_BLOCK = 10_000  # passages counted at once while building: memory holds the index and little more


def inverse_document_frequency(frequency: int, passages: int) -> float:
    """Lucene's variant, never negative: https://cs.uwaterloo.ca/~jimmylin/publications/Kamphuis_etal_ECIR2020_preprint.pdf"""
    return math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def saturation(count: NDArray[np.float64], length: NDArray[np.float64], mean_length: float) -> NDArray[np.float64]:
    """BM25's term frequency component, 0..1: the first occurrence says most, a long passage says less."""
    return count / (K1 * (1 - B + B * length / mean_length) + count)


@dataclass(frozen=True, slots=True)
class _Block:
    """The terms of some passages, by term and then passage: ``counts`` of the terms ``columns`` in the passages
    ``rows`` of the block, whose ``lengths`` are in terms."""

    columns: NDArray[np.int32]
    rows: NDArray[np.int32]
    counts: NDArray[np.int32]
    lengths: NDArray[np.int64]


def _count(terms_of_passages: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> _Block:
    """New terms are added to the vocabulary."""
    lengths = np.array([len(terms) for terms in terms_of_passages], dtype=np.int64)
    numbered = (vocabulary.setdefault(term, len(vocabulary)) for terms in terms_of_passages for term in terms)
    flat = np.fromiter(numbered, dtype=np.int64, count=int(lengths.sum()))
    size = len(lengths)
    # One integer a (term, passage) pair, so that sorting groups by term and counts repeats in one step.
    keys, counts = np.unique(flat * size + np.repeat(np.arange(size), lengths), return_counts=True)
    columns, rows = np.divmod(keys, size)
    return _Block(columns.astype(np.int32), rows.astype(np.int32), counts.astype(np.int32), lengths)


@dataclass(frozen=True)
class LexicalIndex:
    """Saturations by term, compressed by column; the inverse document frequency is multiplied in at query time.

    That is why this is not a stock BM25 index, which stores the product: a generation and the delta beside it have to
    weigh a term by the frequencies of both together, or their scores could not be compared.

    ``starts``: (terms + 1,) int64; ``rows``, ``saturations``: (entries,), the passages that hold each term, ascending.
    ``peaks``: (terms,), the largest saturation of each term.
    """

    vocabulary: Mapping[str, int]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    saturations: NDArray[np.float16]
    peaks: NDArray[np.float32]
    passages: int

    @classmethod
    def build(cls, terms_of_passages: Iterable[Sequence[str]]) -> LexicalIndex:
        vocabulary: dict[str, int] = {}
        passages = iter(terms_of_passages)
        blocks = [_count(first, vocabulary) for first in iter(lambda: list(islice(passages, _BLOCK)), [])]
        lengths = np.concatenate([np.empty(0, dtype=np.int64), *(block.lengths for block in blocks)])
        frequencies = np.zeros(len(vocabulary), dtype=np.int64)
        for block in blocks:
            frequencies += np.bincount(block.columns, minlength=len(vocabulary))
        starts = np.concatenate([[0], np.cumsum(frequencies)])
        rows = np.empty(starts[-1], dtype=np.int32)
        saturations = np.empty(starts[-1], dtype=np.float16)
        mean_length = max(float(lengths.mean()), 1e-9) if len(lengths) else 1.0
        filled, first = starts[:-1].copy(), 0
        for block in blocks:
            held = np.bincount(block.columns, minlength=len(vocabulary))
            places = np.repeat(filled - (np.cumsum(held) - held), held) + np.arange(len(block.columns))
            rows[places] = block.rows + first
            saturations[places] = saturation(
                block.counts.astype(np.float64), block.lengths[block.rows].astype(np.float64), mean_length
            )
            filled, first = filled + held, first + len(block.lengths)
        peaks = np.maximum.reduceat(saturations, starts[:-1]) if vocabulary else saturations
        return cls(vocabulary, starts, rows, saturations, peaks.astype(np.float32), len(lengths))

    @classmethod
    def read(cls, directory: Path, passages: int) -> LexicalIndex:
        """The caller has verified the files' hashes."""
        arrays = {name: load_array(directory / f"lexical_{name}.npy") for name in _ARRAYS}
        terms = json.loads((directory / "lexical_vocabulary.json").read_text(encoding="utf-8"))
        return cls(vocabulary={term: number for number, term in enumerate(terms)}, passages=passages, **arrays)

    def write(self, directory: Path) -> None:
        for name in _ARRAYS:
            save_array(directory / f"lexical_{name}.npy", getattr(self, name))
        terms = sorted(self.vocabulary, key=self.vocabulary.__getitem__)
        (directory / "lexical_vocabulary.json").write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")

    def frequency(self, term: str) -> int:
        """In how many passages the term stands; 0 for an unknown one."""
        column = self.vocabulary.get(term)
        return 0 if column is None else int(self.starts[column + 1] - self.starts[column])

    def best(
        self, weights: Mapping[str, float], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """The ``count`` passages with the highest scores above zero, in no order; fewer when fewer have a term.

        Exact: terms are taken by what they can add, and once what is left cannot lift a new passage among the best,
        only those in sight get the rest (MaxScore; Turtle and Flood 1995, https://doi.org/10.1016/0306-4573(95)00020-H).

        Args:
            weights: as for ``scores``.
            allowed: (passages,) mask; None allows every passage and costs nothing.
        """
        columns = {self.vocabulary[term]: weight for term, weight in weights.items() if term in self.vocabulary}
        ordered = sorted(columns, key=lambda column: -columns[column] * float(self.peaks[column]))
        left = sum(columns[column] * float(self.peaks[column]) for column in ordered)
        scores = np.zeros(self.passages, dtype=np.float32)  # pages are only made where it is written
        seen = np.empty(0, dtype=np.int32)
        for place, column in enumerate(ordered):
            held = slice(self.starts[column], self.starts[column + 1])
            if held.stop - held.start > _LONG and len(seen) >= count > 0:
                floor = np.partition(scores[seen], -count)[-count]
                if floor > left:
                    return self._finish({column: columns[column] for column in ordered[place:]}, seen, scores, count)
            rows, values = self.rows[held], columns[column] * self.saturations[held].astype(np.float32)
            if allowed is not None:
                kept = allowed[rows]
                rows, values = rows[kept], values[kept]
            seen = np.concatenate([seen, rows[scores[rows] == 0]])
            scores[rows] += values  # a passage stands once in a column
            left -= columns[column] * float(self.peaks[column])
        return _top(seen, scores[seen], count)

    def _finish(
        self, weights: Mapping[int, float], seen: NDArray[np.int32], scores: NDArray[np.float32], count: int
    ) -> NDArray[np.int64]:
        """The best of those in sight: with each further term, fewer can still be among them."""
        left = sum(weight * float(self.peaks[column]) for column, weight in weights.items())
        near, reached = seen, scores[seen]
        for column, weight in weights.items():
            kept = reached + left >= np.partition(reached, -count)[-count]
            near, reached = near[kept], reached[kept]
            reached = reached + self._scores({column: weight}, near)
            left -= weight * float(self.peaks[column])
        return _top(near, reached, count)

    def scores(self, weights: Mapping[str, float], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(numbers),) BM25 scores of these passages for a query given as term weights: inverse document frequency
        times count."""
        columns = {self.vocabulary[term]: weight for term, weight in weights.items() if term in self.vocabulary}
        return self._scores(columns, numbers)

    def _scores(self, weights: Mapping[int, float], numbers: NDArray[np.integer]) -> NDArray[np.float32]:
        scores = np.zeros(len(numbers), dtype=np.float32)
        wanted = numbers.astype(np.int32)  # of the same type, or the whole list would be converted to search it
        for column, weight in weights.items():
            held = slice(self.starts[column], self.starts[column + 1])
            rows = self.rows[held]
            places = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
            scores += np.where(rows[places] == wanted, weight * self.saturations[held][places].astype(np.float32), 0.0)
        return scores


def _top(numbers: NDArray[np.int32], scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    if len(numbers) > count:
        places = np.argpartition(scores, -count)[-count:] if count > 0 else np.empty(0, dtype=np.int64)
        numbers, scores = numbers[places], scores[places]
    return np.asarray(numbers[scores > 0], dtype=np.int64)
