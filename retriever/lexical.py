"""The lexical half of the search: BM25 over a sparse matrix of terms and passages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.arrays import load_array, save_array

K1 = 1.5
B = 0.75
_ARRAYS = ("starts", "rows", "saturations")


def inverse_document_frequency(frequency: int, passages: int) -> float:
    """Lucene's variant, never negative: https://cs.uwaterloo.ca/~jimmylin/publications/Kamphuis_etal_ECIR2020_preprint.pdf"""
    return math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def saturation(count: NDArray[np.float64], length: NDArray[np.float64], mean_length: float) -> NDArray[np.float64]:
    """BM25's term frequency component, 0..1: the first occurrence says most, a long passage says less."""
    return count / (K1 * (1 - B + B * length / mean_length) + count)


@dataclass(frozen=True)
class LexicalIndex:
    """Saturations by term, compressed by column; the inverse document frequency is multiplied in at query time.

    That is why this is not a stock BM25 index, which stores the product: a generation and the delta beside it have to
    weigh a term by the frequencies of both together, or their scores could not be compared.

    ``starts``: (terms + 1,) int64; ``rows``, ``saturations``: (entries,), the passages that hold each term.
    """

    vocabulary: Mapping[str, int]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    saturations: NDArray[np.float32]
    passages: int

    @classmethod
    def build(cls, terms_of_passages: Iterable[Sequence[str]]) -> LexicalIndex:
        vocabulary: dict[str, int] = {}
        numbers = [
            np.array([vocabulary.setdefault(term, len(vocabulary)) for term in terms], dtype=np.int64)
            for terms in terms_of_passages
        ]
        lengths = np.array([len(row) for row in numbers], dtype=np.int64)
        passages = len(numbers)
        flat = np.concatenate(numbers) if numbers else np.empty(0, dtype=np.int64)
        # One integer a (term, passage) pair, so that sorting groups by term and counts repeats in one step.
        keys, counts = np.unique(flat * passages + np.repeat(np.arange(passages), lengths), return_counts=True)
        columns, rows = np.divmod(keys, max(1, passages))
        mean_length = float(lengths.mean()) if passages else 0.0
        weights = saturation(counts.astype(np.float64), lengths[rows].astype(np.float64), max(mean_length, 1e-9))
        return cls(
            vocabulary=vocabulary,
            starts=np.searchsorted(columns, np.arange(len(vocabulary) + 1)).astype(np.int64),
            rows=rows.astype(np.int32),
            saturations=weights.astype(np.float32),
            passages=passages,
        )

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

    def scores(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """(passages,) BM25 scores of a query given as term weights: inverse document frequency times count."""
        scores = np.zeros(self.passages, dtype=np.float32)
        for term, weight in weights.items():
            column = self.vocabulary.get(term)
            if column is not None:
                held = slice(self.starts[column], self.starts[column + 1])
                scores[self.rows[held]] += weight * self.saturations[held]  # a passage stands once in a column
        return scores
