"""Spelling tolerance: the vocabulary's nearest term for a word that no passage holds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_SHORTEST = 4  # shorter words have too many neighbours
_TWO_EDITS_FROM = 8
_CANDIDATES = 20
_LETTERS = sys.maxunicode + 1


class SpellingIndex:
    """Character bigrams find candidates, the edit distance decides. Numbers are never corrected.

    Built by numpy over all terms at once: a loop over a hundred thousand words would keep the interpreter from the
    searches that go on meanwhile.
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._terms = [term for term in vocabulary if len(term) >= _SHORTEST - 1 and term.isalpha()]
        bigrams, self._holders = _bigrams(self._terms)
        self._starts = np.append(np.flatnonzero(np.diff(bigrams, prepend=-1)), len(bigrams))
        self._bigrams = bigrams[self._starts[:-1]]

    def nearest(self, term: str) -> str | None:
        """The best of ``candidates``, or None."""
        return next(iter(self.candidates(term)), None)

    def candidates(self, term: str) -> list[str]:
        """Terms at most one edit away (two from eight letters on), nearest first."""
        if len(term) < _SHORTEST or not term.isalpha() or not self._terms:
            return []
        held = [self._holding(bigram) for bigram in _bigrams([term])[0]]
        shared = np.bincount(np.concatenate(held), minlength=len(self._terms))
        least = np.partition(shared, -_CANDIDATES)[-_CANDIDATES] if len(shared) > _CANDIDATES else 0
        near = np.flatnonzero(shared >= max(1, least))
        best = near[np.argsort(-shared[near], kind="stable")[:_CANDIDATES]]
        allowed = 2 if len(term) >= _TWO_EDITS_FROM else 1
        ranked = sorted((edit_distance(term, self._terms[number]), -int(shared[number]), number) for number in best)
        return [self._terms[number] for distance, _, number in ranked if distance <= allowed]

    def _holding(self, bigram: np.int64) -> NDArray[np.int64]:
        place = int(np.searchsorted(self._bigrams, bigram))
        known = place < len(self._bigrams) and self._bigrams[place] == bigram
        return self._holders[self._starts[place] : self._starts[place + 1]] if known else self._holders[:0]


def edit_distance(left: str, right: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment)."""
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        current = [i]
        for j, b in enumerate(right, start=1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]


def _bigrams(terms: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The bigrams of all terms, their ends marked, in order and each once a term; and the number of its term."""
    marked = "".join(f"^{term}$" for term in terms)
    letters = np.frombuffer(marked.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    numbers = np.repeat(np.arange(len(terms)), [len(term) + 2 for term in terms])
    inside = numbers[:-1] == numbers[1:]
    pairs = letters[:-1][inside] * _LETTERS + letters[1:][inside]
    # One integer a (bigram, term) pair, so that sorting groups by bigram; room for 7 million terms.
    held = np.sort(pairs * len(terms) + numbers[1:][inside])
    bigrams, holders = np.divmod(held[np.diff(held, prepend=-1) > 0], max(len(terms), 1))
    return bigrams, holders
