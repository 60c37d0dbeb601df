"""Spelling tolerance: the vocabulary's nearest term for a word that no passage holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_SHORTEST = 4  # shorter words have too many neighbours
_TWO_EDITS_FROM = 8
_CANDIDATES = 20


class SpellingIndex:
    """Character bigrams find candidates, the edit distance decides. Numbers are never corrected."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._terms = [term for term in vocabulary if len(term) >= _SHORTEST - 1 and term.isalpha()]
        postings: dict[str, list[int]] = defaultdict(list)
        for number, term in enumerate(self._terms):
            for bigram in _bigrams(term):
                postings[bigram].append(number)
        self._postings: dict[str, NDArray[np.int32]] = {
            bigram: np.array(numbers, dtype=np.int32) for bigram, numbers in postings.items()
        }

    def nearest(self, term: str) -> str | None:
        """The best of ``candidates``, or None."""
        return next(iter(self.candidates(term)), None)

    def candidates(self, term: str) -> list[str]:
        """Terms at most one edit away (two from eight letters on), nearest first."""
        if len(term) < _SHORTEST or not term.isalpha() or not self._terms:
            return []
        held = [self._postings[bigram] for bigram in _bigrams(term) if bigram in self._postings]
        if not held:
            return []
        shared = np.bincount(np.concatenate(held), minlength=len(self._terms))
        least = np.partition(shared, -_CANDIDATES)[-_CANDIDATES] if len(shared) > _CANDIDATES else 0
        near = np.flatnonzero(shared >= max(1, least))
        best = near[np.argsort(-shared[near], kind="stable")[:_CANDIDATES]]
        allowed = 2 if len(term) >= _TWO_EDITS_FROM else 1
        ranked = sorted((edit_distance(term, self._terms[number]), -int(shared[number]), number) for number in best)
        return [self._terms[number] for distance, _, number in ranked if distance <= allowed]


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


def _bigrams(term: str) -> set[str]:
    padded = f"^{term}$"
    return {padded[i : i + 2] for i in range(len(padded) - 1)}
