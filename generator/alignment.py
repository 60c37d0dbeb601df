"""Which term of the evidence each term of a sentence rests on.

A term of the sentence may have several candidates in the evidence; those of the stretch that holds most of its own
segment win, because a fact belongs to what it stands beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.operators import Kind
from generator.terms import Term
from generator.tokens import is_same_form

_NAMES = (Kind.CONTENT, Kind.FACT)
_FACT_WEIGHT = 2.5


@dataclass(frozen=True, slots=True)
class Alignment:
    """``places[i]`` is the evidence term under term ``i`` of the sentence, None where it has none."""

    said: Sequence[Term]
    shown: Sequence[Term]
    places: tuple[int | None, ...]

    def pairs(self) -> list[tuple[Term, Term]]:
        return [(s, self.shown[j]) for s, j in zip(self.said, self.places, strict=True) if j is not None]


def is_same(a: Term, b: Term) -> bool:
    if a.key != b.key or (a.kind is not b.kind and not (a.kind in _NAMES and b.kind in _NAMES)):
        return False
    if a.unit != b.unit and not (not a.unit and b.unit == "year"):  # seniors over 65
        return False
    return a.kind not in _NAMES or is_same_form(a.raw, b.raw, a.key)


def align(said: Sequence[Term], shown: Sequence[Term]) -> Alignment:
    candidates = [[j for j, e in enumerate(shown) if is_same(s, e)] for s in said]
    places: list[int | None] = [None] * len(said)
    for segment in dict.fromkeys(term.segment for term in said):
        members = [i for i, term in enumerate(said) if term.segment == segment]
        votes: dict[int, float] = {}
        for i in members:
            weight = (_FACT_WEIGHT if said[i].kind is Kind.FACT else 0.2 if said[i].is_light else 1.0) / max(
                1, len(candidates[i])
            )
            for at in {shown[j].segment for j in candidates[i]}:
                votes[at] = votes.get(at, 0.0) + weight
        if not votes:
            continue
        home = max(votes, key=lambda at: (votes[at], -at))
        last = -1
        for i in members:
            if candidates[i]:
                rank = [(j in places, abs(shown[j].segment - home), j < last, abs(j - last), j) for j in candidates[i]]
                places[i] = min(rank)[-1]
                last = places[i] or 0
    return Alignment(said, shown, tuple(places))
