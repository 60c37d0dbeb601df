"""Figures of answers and how sure they are. Pure functions; the definitions stand in the interfaces.

Retrieval's own figures are in ``retriever.metrics``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.text import words

_QUOTE_OVERLAP = 0.6
_RESAMPLES = 1000
_MARKS = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over ``n`` queries with a bootstrap 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same queries. ``ratio`` is of the means, not the mean of ratios; above 1, ours is better."""

    ours: float
    theirs: float
    difference: Figure
    ratio: Figure


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Answering from ``threshold`` on: the share of answerable queries answered, and of all answers the right ones."""

    threshold: float
    coverage: float
    precision: float


def token_f1(said: str, gold: str) -> float:
    """SQuAD-style F1 of word multisets (Rajpurkar et al. 2016): lower case, no punctuation, no articles."""
    a, b = Counter(_squad_words(said)), Counter(_squad_words(gold))
    shared = sum((a & b).values())
    return 2 * shared / (sum(a.values()) + sum(b.values())) if shared else 0.0


def all_facts_said(said: str, facts: Sequence[Sequence[str]]) -> bool:
    plain = _plain(said)
    return all(any(_plain(wording) in plain for wording in alternatives) for alternatives in facts)


def quote_is_right(quote: str, gold: str) -> bool:
    """A cited quote is right when it holds the gold quote, is held by it, or has 60 % of its words."""
    cited, wanted = words(_plain(quote)), words(_plain(gold))
    if not cited or not wanted:
        return False
    if f" {' '.join(cited)} " in f" {' '.join(wanted)} " or f" {' '.join(wanted)} " in f" {' '.join(cited)} ":
        return True
    return sum((Counter(cited) & Counter(wanted)).values()) / len(wanted) >= _QUOTE_OVERLAP


def quote_says(quote: str, sentence: str) -> bool:
    """The sentence stands in the quote word for word; white space, punctuation and case aside."""
    shown, said = words(_plain(quote)), words(_plain(sentence))
    return bool(said) and f" {' '.join(said)} " in f" {' '.join(shown)} "


def support_share(said: str, quotes: Iterable[str]) -> float:
    """Share of the answer's word 3-grams found in the quotes; a shorter answer counts as one gram."""
    wanted = _grams(said)
    held = set().union(*(_grams(quote, len(next(iter(wanted)))) for quote in quotes)) if wanted else set()
    return len(wanted & held) / len(wanted) if wanted else 0.0


def bootstrap(values: Sequence[float], seed: int = 0) -> Figure:
    """Mean and percentile 95 % interval over 1,000 resamples."""
    if not values:
        return Figure(0.0, 0.0, 0.0, 0)
    array = np.asarray(values, dtype=np.float64)  # (n,)
    drawn = np.random.default_rng(seed).integers(0, len(array), size=(_RESAMPLES, len(array)))
    low, high = np.percentile(array[drawn].mean(axis=1), [2.5, 97.5])
    return Figure(float(array.mean()), float(low), float(high), len(array))


def compare(ours: Sequence[float], theirs: Sequence[float], groups: Sequence[str], seed: int = 0) -> Comparison:
    """Paired bootstrap, 95 %: whole groups are drawn, because the turns on one document are no independent trials.

    Args:
        groups: one name a query; give each query its own where they are independent.
    """
    names, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    mine, other, size = (
        np.bincount(index, weights=np.asarray(values, dtype=np.float64), minlength=len(names))
        for values in (ours, theirs, np.ones(len(index)))
    )  # (n_groups,) sums each
    if not len(names):
        return Comparison(0.0, 0.0, Figure(0.0, 0.0, 0.0, 0), Figure(0.0, 0.0, 0.0, 0))
    drawn = np.random.default_rng(seed).integers(0, len(names), size=(_RESAMPLES, len(names)))
    sums = [values[drawn].sum(axis=1) for values in (mine, other, size)]  # (resamples,) each
    differences = (sums[0] - sums[1]) / sums[2]
    ratios = sums[0] / np.maximum(sums[1], 1e-9)
    total_mine, total_other, n = float(mine.sum()), float(other.sum()), len(index)
    low, high = (float(v) for v in np.percentile(differences, [2.5, 97.5]))
    least, most = (float(v) for v in np.percentile(ratios, [2.5, 97.5]))
    return Comparison(
        ours=total_mine / n,
        theirs=total_other / n,
        difference=Figure((total_mine - total_other) / n, low, high, n),
        ratio=Figure(total_mine / max(total_other, 1e-9), least, most, n),
    )


def roc_auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """How often a positive scores above a negative; a tie counts half (Mann and Whitney 1947). 0.5 without either."""
    if not positives or not negatives:
        return 0.5
    pairs = np.asarray(positives, dtype=np.float64)[:, None] - np.asarray(negatives, dtype=np.float64)[None, :]
    return float((np.sign(pairs).mean() + 1) / 2)


def coverage_curve(
    answers: Sequence[tuple[float, bool, bool]], answerable: int, steps: int = 10
) -> list[CoveragePoint]:
    """Precision at each tenth of coverage that is reached, and at the last answer.

    Args:
        answers: (confidence, answerable, right) of every query that was answered; a refusal is left out.
        answerable: how many answerable queries were asked.
    """
    ranked = sorted(answers, key=lambda answer: -answer[0])
    points: list[CoveragePoint] = []
    covered = right = 0
    for place, (confidence, could, was_right) in enumerate(ranked, start=1):
        covered, right = covered + could, right + was_right
        if place < len(ranked) and ranked[place][0] == confidence:
            continue  # no threshold parts equal confidences
        share = covered / answerable if answerable else 0.0
        if place == len(ranked) or share >= (len(points) + 1) / steps:
            points.append(CoveragePoint(confidence, share, right / place))
    return points


def _plain(text: str) -> str:
    return " ".join(text.translate(_MARKS).lower().split())


def _squad_words(text: str) -> list[str]:
    return [word for word in words(_plain(text)) if word not in ("a", "an", "the")]


def _grams(text: str, size: int = 3) -> set[tuple[str, ...]]:
    found = words(_plain(text))
    size = min(size, len(found))
    return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)} if size else set()
