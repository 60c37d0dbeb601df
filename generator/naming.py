"""Rules on what is named: new words and facts, facts in another role, what was left out, who does it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from generator.comparison import NAMING, Comparison, is_weighty
from generator.operators import Kind, is_restricting
from generator.terms import Term, lexicon

_MAY_REPEAT = frozenset(("free", "cost", "accept", "pay", "check in", "check out"))


def _new(at: Comparison) -> None:
    """Words and facts that the evidence does not have; some of them are implied by what it has, some say nothing."""
    shown = {term.key for term in at.shown}
    permits = any(term.kind is Kind.MODAL and term.key == "permit" for term in at.shown)
    loose = 0
    for i, (term, place) in enumerate(zip(at.said, at.places, strict=True)):
        if place is not None or term.kind not in NAMING:
            continue
        if (term.key in ("offer", "accept") and permits) or _implied(term) & shown:
            at.found["implied"] += 1
        elif term.kind is Kind.FACT and not term.is_light:
            at.found["number" if any(c.isdigit() for c in term.key) else "name"] += 1
        elif term.is_light:
            loose += i > 0
        else:
            at.found["new"] += 1
    unsaid = [j for j, term in enumerate(at.shown) if term.segment in at.used and j not in at.of_shown]
    at.found["light"] += loose
    at.found["substitution"] += min(loose, sum(_is_plain(at.shown[j]) for j in unsaid))


def _repeated(at: Comparison) -> None:
    """A fact that the evidence gives once proves one mention of it: ``from Monday to Monday`` needs two."""
    for i, place in enumerate(at.places):
        if place is not None and at.said[i].kind is at.shown[place].kind is Kind.FACT and is_weighty(at.said[i]):
            at.found["repeated"] += at.places.index(place) < i
    ours = Counter(term.key for term in at.said if is_weighty(term))
    theirs = Counter(term.key for term in at.shown)
    at.found["repeated"] += sum(n > theirs[key] > 0 and key not in _MAY_REPEAT for key, n in ours.items())


def _implied(term: Term) -> frozenset[str]:
    return frozenset() if term.kind is Kind.FACT else lexicon().implied.get(term.key, frozenset())


def _is_plain(term: Term) -> bool:
    return term.kind is Kind.CONTENT and not term.is_light


def _roles(at: Comparison) -> None:
    """Facts said in one breath stand in one breath."""
    homes: dict[int, set[int]] = {}
    for i, j in at.weighty:
        if at.said[i].kind is Kind.FACT and at.shown[j].kind is Kind.FACT:
            homes.setdefault(at.said[i].segment, set()).add(at.shown[j].segment)
    at.found["role"] += sum(len(places) > 1 for places in homes.values())


def _glue(at: Comparison) -> None:
    """A stretch with a subject of its own lends its facts to no other subject."""
    for segment in dict.fromkeys(at.said[i].segment for i, _ in at.weighty):
        mine = [j for i, j in at.weighty if at.said[i].segment == segment]
        homes = sorted({at.shown[j].segment for j in mine})
        for home in homes[1:]:
            first = min(j for j in mine if at.shown[j].segment == home)
            before = [
                k for k in range(first)
                if at.shown[k].segment == home and k not in mine
                and (at.shown[k].kind is Kind.PERSON or is_weighty(at.shown[k]))
            ]  # fmt: skip
            at.found["glue"] += bool(before)
        path = [at.shown[j].segment for j in mine]
        at.found["role"] += any(b < a for a, b in pairwise(path))


def _left_out(at: Comparison) -> None:
    """Facts, limits and narrowing words of the stretches that prove the sentence, missing in it."""
    said, said_raw = {t.key for t in at.said}, {t.raw for t in at.said}
    for j, term in enumerate(at.shown):
        if j in at.of_shown or term.segment not in at.used or _is_behind_shared_subject(at, j):
            continue
        after = at.shown[j + 1] if j + 1 < len(at.shown) else None
        touches = after is not None and after.start - term.end <= 1 and after.kind in NAMING
        if not any(c.isalnum() for c in term.key):
            at.found["fact left out"] += 1  # a sign: ✗, °, ₹
        elif term.kind is Kind.FACT:
            if term.key == "#1" and after is not None and after.raw in said_raw:
                continue  # "one guest" is "a guest"
            is_name = len(term.raw) > 1 and not any(c.isdigit() for c in term.key)
            at.found["name left out" if is_name else "fact left out"] += term.key not in said
            at.found["name modifier"] += is_name and touches and j + 1 in at.of_shown and not _is_light(after)
        elif term.kind is Kind.CONTENT and not term.is_light and touches and j + 1 in at.of_shown:
            at.found["modifier left out"] += term.key not in said and after is not None and is_weighty(after)
        elif term.kind in (Kind.TIME, Kind.BOUND) and is_restricting(term.kind, term.key):
            at.found["limit left out"] += not any(t.kind is term.kind and t.key == term.key for t in at.said)


def _is_behind_shared_subject(at: Comparison, j: int) -> bool:
    """``Breakfast is served from 7:00 and costs €9``: the first predicate may go where only the second is told."""
    segment = at.shown[j].segment
    own = [k for _, k in at.weighty if at.shown[k].segment == segment]
    opens = next((k for k, t in enumerate(at.shown) if t.segment == segment and is_weighty(t)), None)
    follows = any(at.shown[k].segment == segment + 1 and at.shown[k].is_linked for _, k in at.weighty)
    return follows and own == [opens] and j > own[0]


def _order(at: Comparison) -> None:
    """How often the sentence turns back: one turn is a clause put in front, several are things exchanged."""
    at.found["turns"] += sum(b < a for a, b in pairwise(at.order))


def _joints(at: Comparison) -> None:
    """One of two things is not both of them, except where both are denied."""
    if any(t.kind is Kind.NEGATION for t in at.said):
        return
    for i, j in at.weighty:
        if at.said[i].joint == "and" and at.shown[j].joint == "or":
            at.found["joint"] += 1


def _pairs(at: Comparison) -> None:
    """A name and the word it touches stay together."""
    for (i, j), (k, m) in pairwise(at.weighty):
        touches = k == i + 1 and at.said[k].start - at.said[i].end <= 1
        if touches and at.said[i].kind is Kind.FACT and not at.said[i].key.startswith("#") and not 0 < m - j <= 2:
            at.found["pair"] += 1


def _persons(at: Comparison) -> None:
    """What we do is not what the customer does."""
    for i, term in enumerate(at.said):
        if term.kind is Kind.PERSON:
            for k, j in at.weighty:
                is_doer = i < k <= i + 2 and at.said[k].start - at.said[k - 1].end <= 1  # not "you will be told"
                if is_doer and j > 0:
                    before = [t for t in at.shown[max(0, j - 2) : j] if t.kind is Kind.PERSON]
                    at.found["person"] += bool(before) and before[-1].key != term.key


def _is_light(term: Term | None) -> bool:
    return term is not None and term.is_light


RULES = (_new, _repeated, _roles, _glue, _left_out, _order, _joints, _pairs, _persons)
