"""Rules on who does what to whom: persons, voices, subjects, and the order of what is named."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from generator.comparison import NAMING, Comparison, is_weighty
from generator.operators import Kind
from generator.terms import Term
from generator.voice import Voice, is_turned

_PLACES = frozenset(("on", "in", "at", "aboard", "for"))
_GIVEN = ("get", "gets", "receive", "receives", "obtain")
_PREPOSITIONS = frozenset(("to", "from", "of", "for", "with", "into", "onto", "as", "by", "at", "in", "on"))


def _subject(at: Comparison) -> None:
    """``Parking is free at the Otter`` does not make the Otter free: a place takes nobody's subject's place."""
    opening = next((j for j, term in enumerate(at.shown) if is_weighty(term)), None)
    i, j = next(iter(at.weighty), (0, None))
    if j is not None and opening not in at.of_shown and at.said[i].lead not in _PLACES:
        is_first = not any(t.kind in NAMING for t in at.said[:i])
        at.found["exchanged"] += is_first and at.shown[j].lead in _PLACES and at.said[i].kind is Kind.FACT


def _order(at: Comparison) -> None:
    """How often the sentence turns back: one turn is a clause put in front, several are things exchanged."""
    at.found["turns"] += sum(b < a for a, b in pairwise(at.order))
    if not at.turned:
        at.found["exchanged"] += sum(_changes_hands(at, a, b) for a, b in pairwise(at.weighty))


def _changes_hands(at: Comparison, one: tuple[int, int], other: tuple[int, int]) -> bool:
    """``Send the form to the office`` and ``send the office to the form``: the preposition has gone to the other."""
    (i, j), (k, m) = one, other
    is_turned_back = m < j and at.shown[m].segment == at.shown[j].segment and at.said[i].segment == at.said[k].segment
    leads = [term.lead in _PREPOSITIONS for term in (at.said[i], at.shown[j], at.said[k], at.shown[m])]
    return is_turned_back and leads in ([False, True, True, False], [True, False, False, True])


def _voices(at: Comparison) -> None:
    """The doer stays the doer: where the voice turns, what stood before the verb has to stand behind it."""
    for i, j in at.weighty:
        subject = max((k for k, _ in at.weighty if k < i and at.said[k].segment == at.said[i].segment), default=None)
        if subject is None or any(at.said[k].kind is Kind.PERSON for k in range(subject + 1, i)):
            at.turned += is_turned(at.said[i], at.shown[j])
            continue
        before = at.places[subject]
        is_before = before is not None and before < j and at.shown[before].segment == at.shown[j].segment
        if is_turned(at.said[i], at.shown[j]):
            at.found["exchanged"] += is_before
            at.turned += not is_before
        elif Voice.UNKNOWN not in (at.said[i].voice, at.shown[j].voice) and not is_before:
            target = next((m for k, m in at.weighty if k > i), None)
            at.found["exchanged"] += target is not None and before is not None and target < j < before


def _agents(at: Comparison) -> None:
    """Whoever stands behind ``by`` on one side does the deed on the other, and so stands before it there.

    ``Ordered by e-mail`` has no such doer: it is ``by e-mail`` on both sides.
    """
    for i, j in enumerate(at.places):
        if j is None or at.said[i].kind not in (Kind.CONTENT, Kind.MODAL):
            continue
        ours, theirs = _agent(at.said, i), _agent(at.shown, j)
        if ours is not None and theirs is None and at.shown[j].voice is not Voice.PASSIVE:
            place = at.places[ours]
            at.found["exchanged"] += place is not None and place > j and at.shown[place].lead != "by"
        if theirs is not None and ours is None and at.said[i].voice is not Voice.PASSIVE:
            place = at.of_shown.get(theirs)
            at.found["exchanged"] += place is not None and place > i and at.said[place].lead != "by"


def _agent(terms: Sequence[Term], i: int) -> int | None:
    """The term behind the ``by`` of a passive, ``an adult`` of ``be accompanied by an adult``."""
    is_by = terms[i].voice is Voice.PASSIVE and i + 1 < len(terms) and terms[i + 1].lead == "by"
    return i + 1 if is_by and is_weighty(terms[i + 1]) else None


def _pairs(at: Comparison) -> None:
    """A name and the word it touches stay together."""
    for (i, j), (k, m) in pairwise(at.weighty):
        touches = k == i + 1 and at.said[k].start - at.said[i].end <= 1
        if touches and at.said[i].kind is Kind.FACT and not at.said[i].key.startswith("#") and not 0 < m - j <= 2:
            at.found["pair"] += 1
        counted = at.shown[j + 1] if j + 1 < len(at.shown) else None
        if touches and at.said[i].key.startswith("#") and counted is not None and counted.start - at.shown[j].end <= 1:
            # "one code an order" is not "one order a code"
            is_other = m != j + 1 and is_weighty(counted) and counted.kind is Kind.CONTENT and j + 1 in at.of_shown
            at.found["exchanged"] += is_other and at.said[k].kind is Kind.CONTENT


def _persons(at: Comparison) -> None:
    """What we do is not what the customer does."""
    for i, term in enumerate(at.said):
        if term.kind is Kind.PERSON:
            for k, j in at.deeds:
                is_doer = i < k <= i + 2 and at.said[k].start - at.said[k - 1].end <= 1  # not "you will be told"
                doer = doer_of(at, j) if is_doer and j > 0 else ""
                # who gets a refund does not refund
                is_given = at.said[k].raw.lower() in _GIVEN and at.said[k].key != "get"
                at.found["person"] += bool(doer) and doer != term.key and not is_given
                permitted = at.said[k - 1].key in ("permit", "oblige") and not any(t.key == "we" for t in at.shown)
                at.found["person"] += is_doer and term.key == "we" and permitted
    for k, j in at.deeds:
        behind = [t.key for t in at.said[k + 1 : k + 3] if t.kind is Kind.PERSON and t.lead == "by"]
        at.found["person"] += behind not in ([], [doer_of(at, j)])
    if at.weighty:
        at.found["person"] += _is_order_for_our_deed(at, *at.weighty[0])


def _is_order_for_our_deed(at: Comparison, i: int, j: int) -> bool:
    """``Refund the price`` told of ``we refund the price``: it opens with the bare deed, and nobody does it."""
    if any(t.kind is Kind.PERSON for t in at.said[: i + 1]) or at.said[i].voice is not Voice.UNKNOWN:
        return False
    opens = at.said[i].start == 0 and at.said[i].raw.lower() == at.shown[j].raw
    is_ordered = opens or at.said[0].kind is Kind.NEGATION
    return is_ordered and at.shown[j].voice is Voice.ACTIVE and doer_of(at, j) == "we"


def doer_of(at: Comparison, j: int) -> str:
    """``we`` or ``you``, whoever does deed ``j`` of the evidence; a customer there is the ``you`` of an answer."""
    if at.shown[j].voice is Voice.PASSIVE:
        behind = [t.key for t in at.shown[j + 1 : j + 3] if t.kind is Kind.PERSON]
        return behind[0] if behind else ""
    near = [t for t in at.shown[max(0, j - 2) : j] if t.kind is Kind.PERSON or t.key == "custom"]
    if near:
        return near[-1].key.replace("custom", "you")
    return "you" if _is_told_to(at, j) else ""


def _is_told_to(at: Comparison, j: int) -> bool:
    """``If you lose it, call our hotline``: the main clause begins with the deed."""
    term, after = at.shown[j], at.shown[j + 1 : j + 2]
    opens = j > 0 and at.shown[j - 1].scope == "if" and at.shown[j - 1].segment != term.segment and not term.scope
    is_noun = not after or after[0].kind is Kind.MODAL or after[0].lead in ("is", "are", "will", "be", "has")
    return opens and term.raw.islower() and not is_noun


RULES = (_voices, _agents, _subject, _order, _pairs, _persons)
