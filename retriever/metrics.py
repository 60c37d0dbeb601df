"""Retrieval figures, as the golden questions define them. Pure functions.

A ranking is a sequence of booleans, best hit first: is this passage relevant?
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from domain.text import words

SPAN_HIT_SHARE = 0.8
_QUOTES = str.maketrans({**dict.fromkeys("“”„‟«»″＂", '"'), **dict.fromkeys("‘’‚‛‹›′＇`´", "'")})


def normalise_evidence(text: str) -> str:
    """Lower case, white space folded to single spaces, typographic quotes made plain."""
    return " ".join(text.translate(_QUOTES).lower().split())


def is_relevant(passage_text: str, quotes: Sequence[str]) -> bool:
    """A passage is relevant if it contains one of the evidence quotes."""
    text = normalise_evidence(passage_text)
    wanted = [normalise_evidence(quote) for quote in quotes]
    return any(quote in text for quote in wanted if quote)


def recall_at_k(ranking: Sequence[bool], k: int) -> float:
    """1 when any of the first ``k`` is relevant, else 0; averaged over questions it is recall@k."""
    return float(any(ranking[:k]))


def reciprocal_rank(ranking: Sequence[bool]) -> float:
    """1 / place of the first relevant hit, 0 without one."""
    return next((1.0 / place for place, relevant in enumerate(ranking, start=1) if relevant), 0.0)


def mrr(rankings: Sequence[Sequence[bool]]) -> float:
    """Mean reciprocal rank; 0 for no questions."""
    return sum(map(reciprocal_rank, rankings)) / len(rankings) if rankings else 0.0


def ndcg(ranking: Sequence[bool], k: int, relevant: int | None = None) -> float:
    """Normalised discounted cumulative gain of the first ``k`` with gains of 0 and 1.

    Args:
        relevant: how many relevant passages there are; unknown means those in the ranking.
    """
    gain = sum(1.0 / math.log2(place + 1) for place, hit in enumerate(ranking[:k], start=1) if hit)
    total = sum(ranking) if relevant is None else relevant
    ideal = sum(1.0 / math.log2(place + 1) for place in range(1, min(k, total) + 1))
    return min(1.0, gain / ideal) if ideal > 0 else 0.0


def span_coverage(gold: str, passages: Sequence[str]) -> float:
    """Share of the gold text's word 3-grams that stand in the passages together; shorter texts count as one gram."""
    wanted = _grams(gold)
    if not wanted:
        return 0.0
    held: set[tuple[str, ...]] = set()
    for passage in passages:
        held |= _grams(passage, len(next(iter(wanted))))
    return len(wanted & held) / len(wanted)


def span_hit(gold: str, passages: Sequence[str]) -> bool:
    return span_coverage(gold, passages) >= SPAN_HIT_SHARE


def _grams(text: str, size: int = 3) -> set[tuple[str, ...]]:
    tokens = words(normalise_evidence(text))
    size = min(size, len(tokens))
    return {tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)} if size else set()
