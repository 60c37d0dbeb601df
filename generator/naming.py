"""Rules on what is named: new words and facts, facts used twice, facts in another role."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from generator.alignment import is_same
from generator.comparison import NAMING, Comparison, is_weighty
from generator.doing import doer_of
from generator.operators import Kind
from generator.terms import Term, is_date, lexicon
from generator.voice import Voice

_MAY_REPEAT = frozenset(("cost", "accept", "pay", "check in", "check out"))
_PERMITTED = ("offer", "accept", "bring")
_PLACES = frozenset(("on", "in", "at", "aboard", "for"))


def _new(at: Comparison) -> None:
    """Words and facts that the evidence does not have; some of them are implied by what it has, some say nothing."""
    shown = {term.key for term in at.shown}
    permits = any(term.kind is Kind.MODAL and term.key == "permit" for term in at.shown)
    loose = 0
    for i, (term, place) in enumerate(zip(at.said, at.places, strict=True)):
        if place is not None or term.kind not in NAMING:
            continue
        if term.key == "#1" and term.unit and any(t.raw.lower() in (term.unit, f"{term.unit}s") for t in at.shown):
            continue  # "one week" is "a week"
        if _is_setting(at, i):
            at.found["of heading"] += 1
        elif (term.key in _PERMITTED and permits) or _implied(term) & shown or _is_converse(at, i):
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


def _implied(term: Term) -> frozenset[str]:
    return frozenset() if term.kind is Kind.FACT else lexicon().implied.get(term.key, frozenset())


def _is_converse(at: Comparison, i: int) -> bool:
    """``We send you a card``, ``a card is sent`` and ``you get a card`` are one deed seen from its two ends."""
    word, other = at.said[i].key, {"send": "get", "get": "send"}.get(at.said[i].key)
    j = next((j for j, term in enumerate(at.shown) if term.key == other and j not in at.of_shown), None)
    if j is None or at.said[i].scope != at.shown[j].scope:
        return False
    doer = next((t.key for t in reversed(at.said[max(0, i - 2) : i]) if t.kind is Kind.PERSON), "")
    ours = "we" if at.said[i].voice is Voice.PASSIVE and not doer else doer
    theirs = "we" if at.shown[j].voice is Voice.PASSIVE else doer_of(at, j)
    return (ours, theirs) == (("we", "you") if word == "send" else ("you", "we"))


def _is_setting(at: Comparison, i: int) -> bool:
    """``Is there wifi on the train?`` lets ``Wifi is free`` be said of the train.

    The heading gives the subject or a place, never a number, a date or a condition, and nothing in the stead of what
    the evidence says itself.
    """
    term = at.said[i]
    is_known = any(is_same(term, other) for other in at.heading) and not any(c.isdigit() for c in term.key)
    if not is_known or term.scope or (term.kind is Kind.FACT and is_date(term.key)):
        return False
    is_subject = not any(k < i for k, _ in at.weighty)
    unsaid = [j for j, t in enumerate(at.shown) if t.segment in at.used and j not in at.of_shown and is_weighty(t)]
    return not unsaid and (is_subject or term.lead in _PLACES or at.said[i - 1].lead in _PLACES)


def _is_plain(term: Term) -> bool:
    return term.kind is Kind.CONTENT and not term.is_light


def _repeated(at: Comparison) -> None:
    """A fact that the evidence gives once proves one mention of it: ``from Monday to Monday`` needs two."""
    for i, place in enumerate(at.places):
        if place is not None and at.said[i].kind is at.shown[place].kind is Kind.FACT and is_weighty(at.said[i]):
            at.found["repeated"] += at.places.index(place) < i
    ours = Counter(term.key for term in at.said if is_weighty(term))
    theirs = Counter(term.key for term in at.shown)
    at.found["repeated"] += sum(n > theirs[key] > 0 and key not in _MAY_REPEAT for key, n in ours.items())


def _roles(at: Comparison) -> None:
    """Facts said in one breath stand in one breath."""
    facts: dict[int, list[int]] = {}
    for i, j in at.weighty:
        if at.said[i].kind is Kind.FACT and at.shown[j].kind is Kind.FACT:
            facts.setdefault(at.said[i].segment, []).append(j)
    for places in facts.values():
        first, *others = sorted({at.shown[j].segment for j in places})
        shares = all(at.shares_subject([j for j in places if at.shown[j].segment == first], o) for o in others)
        at.found["role"] += not shares and any(not at.is_listed(first, other) for other in others)


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
                and (at.shown[k].kind is Kind.PERSON or is_weighty(at.shown[k])) and at.shown[k].key != "cost"
            ]  # fmt: skip
            is_item = any(at.is_listed(segment_of_mine, home) for segment_of_mine in homes if segment_of_mine < home)
            at.found["glue"] += bool(before) and not is_item
        path = [at.shown[j].segment for j in mine]
        at.found["role"] += any(b < a and not (at.turned and at.is_carried_on(b, a)) for a, b in pairwise(path))


def _joints(at: Comparison) -> None:
    """One of two things is not both of them, except where both are denied."""
    if any(t.kind is Kind.NEGATION for t in at.said):
        return
    for i, j in at.weighty:
        ours, theirs = at.said[i].joint, at.shown[j].joint
        at.found["joint"] += (ours == "and" and theirs == "or") or (ours == "plus") != (theirs == "plus")


RULES = (_new, _repeated, _roles, _glue, _joints)
