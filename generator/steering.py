"""Rules on what steers a claim: bounds and times, negations, duties, quantities, conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generator.comparison import NAMING, Comparison, is_weighty
from generator.omissions import is_behind_shared_subject
from generator.operators import Kind, is_restricting, same_bound
from generator.terms import Term

_CONDITIONS = ("if", "unless", "except", "otherwise")
_UNSURE = frozenset(("may", "might", "could", "possibly"))
_ABLE = ("can", "cannot", "can't", "can’t", "able", "possible")
_NEVER = ("never", "nobody", "none")
_REASONS = ("because", "because of", "due to")
_REACH = 5
_ADJUNCT = ("with", "without")
_OFFERS = frozenset(("offer", "accept", "free", "use", "buy"))


def _governors(at: Comparison) -> None:
    """Every bound and time word stays over what it stood over: ``at least``, ``before``, ``within``."""
    for i, j in at.weighty:
        ours, theirs = _governor(at.said, i), _governor(at.shown, j)
        if ours != theirs and (at.said[i].kind is Kind.FACT or _touches(at.said, i) or _touches(at.shown, j)):
            at.found["bound"] += 1
    for i, term in enumerate(at.said):
        if term.kind is Kind.TIME and term.key in ("before", "after", "until", "during"):
            at.found["time"] += not _same_event(at, i)
    unbound = [t for i, t in enumerate(at.said) if t.kind in (Kind.TIME, Kind.BOUND) and at.places[i] is None]
    known = {same_bound(t.key) for t in at.used_shown}
    at.found["bound"] += sum(same_bound(t.key) not in known for t in unbound)


def _same_event(at: Comparison, i: int) -> bool:
    """What comes after ``before`` here comes right after a ``before`` there."""
    event = next((j for k, j in at.weighty if k > i and at.said[k].segment == at.said[i].segment), None)
    if event is None:
        return True
    for n, term in enumerate(at.shown):
        if term.kind in (Kind.TIME, Kind.BOUND) and same_bound(term.key) == same_bound(at.said[i].key):
            after = [k for k in range(n + 1, len(at.shown)) if is_weighty(at.shown[k])][:3]
            if event in after and at.shown[after[0]].segment == at.shown[event].segment:
                return True
    return False


def _negations(at: Comparison) -> None:
    """As many negations, in the same stretches, and none made firmer."""
    ours = [i for i, t in enumerate(at.said) if t.kind is Kind.NEGATION]
    theirs = [
        j for j, t in enumerate(at.shown)
        if t.kind is Kind.NEGATION and _denied_segments(at, j) & at.context and not _is_dropped_adjunct(at, j)
    ]  # fmt: skip
    # "if not" that hangs in the air denies something, whatever it is.
    at.found["negation"] += any(
        t.key == "otherwise" and t.segment in at.empty and j not in at.of_shown for j, t in enumerate(at.shown)
    )
    at.found["negation"] += len(ours) != len({*theirs, *(at.places[i] for i in ours if at.places[i] is not None)})
    is_firmer = any(at.said[i].raw.lower() in _NEVER for i in ours)
    at.found["quantifier"] += is_firmer and not any(
        at.shown[j].raw.lower() in (*_NEVER, "no", "nothing") for j in theirs
    )
    for i in ours:
        after = [j for k, j in at.weighty if k > i] or [j for k, j in at.weighty]
        is_main = at.said[i].raw.lower() not in _ADJUNCT
        if is_main and theirs and all(_is_bare_adjunct(at, j) for j in theirs):
            at.found["negation"] += 1
        if after and not any(0 <= at.shown[after[0]].segment - at.shown[n].segment <= 2 for n in theirs):
            at.found["negation"] += 1


def _denied_segments(at: Comparison, j: int) -> set[int]:
    """Its own, and for a negation that ends its stretch (``not if it was opened``) the next; alone, the one before."""
    found = {term.segment for term in at.shown[j : j + 2]}
    return found | {at.shown[j].segment - 1} if at.shown[j].segment in at.empty else found


def _is_dropped_adjunct(at: Comparison, j: int) -> bool:
    """``with no fees`` and ``without a receipt`` deny only what follows them, and may be left out together with it."""
    if at.shown[j].raw.lower() not in _ADJUNCT:
        return False
    return not any(k > j and at.shown[k].segment == at.shown[j].segment for _, k in at.weighty)


def _is_bare_adjunct(at: Comparison, j: int) -> bool:
    """``with no fee`` whose main clause the sentence does not repeat."""
    return at.shown[j].raw.lower() in _ADJUNCT and not any(k < j for _, k in at.weighty)


def _modals(at: Comparison) -> None:
    """Duties, permissions and advice stay with the deed they steer; ``Send it`` is as much a duty as ``must send``."""
    ours = [i for i, t in enumerate(at.said) if t.kind is Kind.MODAL and t.key != "will"]
    theirs = [j for j, t in enumerate(at.shown) if t.kind is Kind.MODAL and t.key != "will" and _is_steering(at, j)]
    is_future = any(t.key == "will" for t in at.used_shown)
    swapped = at.found["implied"] > 0
    is_offer = any(t.key in _OFFERS for t in at.used_shown)
    for i in ours:
        term, place = at.said[i], next((j for k, j in at.weighty if k > i), None)
        if any(_is_same_modal(term, at.shown[j]) and (place is None or abs(place - j) <= _REACH) for j in theirs):
            continue
        near = {at.shown[j].key for j in theirs if place is None or abs(place - j) <= _REACH}
        is_of_you = i > 0 and at.said[i - 1].key == "you"
        is_stated = is_of_you and not is_future and not _is_order(at, place) and term.raw.lower() not in _UNSURE
        is_offered = is_offer and (is_of_you or term.raw.lower() not in _UNSURE)
        if term.key == "permit" and not near and (is_offered or is_stated or _is_denied_too(at, i)):
            at.found["permission"] += 1
        elif term.key != "oblige" or near or not (_is_order(at, place) or _is_due(at, place, i)):
            at.found["modal"] += 1
    for j in theirs:
        term, place = at.shown[j], next((k for m, k in sorted((m, k) for k, m in at.named) if m > j), None)
        if any(_is_same_modal(at.said[i], term) and (place is None or abs(place - i) <= _REACH) for i in ours):
            continue
        if term.key == "permit" and term.raw.lower() not in ("might", "could") and (swapped or _is_not_done(at, j)):
            continue
        is_order = place is not None and at.said[place].start in (0, len("Please "))
        at.found["modal"] += not (is_order and term.key in ("oblige", "permit"))
    permits = [sum(t.key == "permit" and t.kind is Kind.MODAL for t in side) for side in (at.said, at.used_shown)]
    at.found["modal"] += permits[0] > permits[1] > 0


def _is_denied_too(at: Comparison, i: int) -> bool:
    """``We cannot deliver`` is ``We do not deliver``."""
    is_denied = at.said[i].raw.lower() in _ABLE and any(t.kind is Kind.NEGATION for t in at.said[max(0, i - 1) : i + 3])
    return is_denied and any(t.kind is Kind.NEGATION and t.segment in at.used for t in at.shown)


def _is_not_done(at: Comparison, j: int) -> bool:
    is_denied = at.shown[j].raw.lower() in _ABLE and any(
        t.kind is Kind.NEGATION for t in at.shown[max(0, j - 1) : j + 2]
    )
    return is_denied and any(t.kind is Kind.NEGATION for t in at.said)


def _is_steering(at: Comparison, j: int) -> bool:
    """A modal of what is told, or of the stretch that this one carries on (``You can change or cancel it``)."""
    segment = at.shown[j].segment
    if segment in at.used:
        return not is_behind_shared_subject(at, j)
    on = [term for term in at.shown if term.segment == segment + 1]
    return segment + 1 in at.used and on[0].is_linked and all(t.kind not in (Kind.MODAL, Kind.PERSON) for t in on)


def _is_order(at: Comparison, place: int | None) -> bool:
    """The evidence opens a stretch with what is to be done, and with no article, as in ``Send it back``."""
    if place is None or at.shown[place].kind is not Kind.CONTENT:
        return False
    if place == 0 or at.shown[place].lead == "please":
        return at.shown[place].lead == "please" or at.shown[0].start == 0
    before, term = at.shown[place - 1], at.shown[place]
    return before.segment != term.segment and term.start - before.end <= len(", and " if term.is_linked else ", ")


def _is_due(at: Comparison, place: int | None, i: int) -> bool:
    """What one pays is due: ``has to pay`` for ``pays``, ``need not pay a fee`` for ``no fee``."""
    if place is None:  # "no reservation needed"
        place = next((j for k, j in reversed(at.weighty) if k == i - 1), None)
    if place is None:
        return False
    term = at.shown[place]
    denials = [t.raw.lower() for t in at.shown[:place] if t.kind is Kind.NEGATION]
    is_denied = (term.key == "cost" and denials) or denials[-1:] == ["without"]
    return bool(is_denied) or (term.raw.lower() in ("pay", "pays", "costs") and term.lead != "to")


def _quantifiers(at: Comparison) -> None:
    """``All`` may not be added, ``only`` and ``most`` neither added nor lost."""
    theirs = {t.key for t in at.shown if t.kind is Kind.QUANTIFIER and t.segment in at.used | at.empty}
    ours = {t.key for t in at.said if t.kind is Kind.QUANTIFIER}
    is_negated = any(t.kind is Kind.NEGATION for t in at.said)
    for i, term in enumerate(at.said):
        if term.kind is Kind.QUANTIFIER and term.key not in theirs:
            at.found["quantifier"] += not (term.raw.lower() == "any" and is_negated)
        if term.kind is Kind.QUANTIFIER and term.key == "only" and "only" in theirs:
            at.found["quantifier"] += not _same_focus(at, i)
    at.found["quantifier"] += sum(k not in ours and is_restricting(Kind.QUANTIFIER, k) for k in theirs)


def _same_focus(at: Comparison, i: int) -> bool:
    """``Only members book rooms`` is not ``Members only book rooms``: what ``only`` stands before, it stands before."""
    behind = {j for k, j in at.weighty if k > i}
    focus = next((j for k, j in at.weighty if k > i), None)
    for n, term in enumerate(at.shown):
        if term.key == "only" and term.kind is Kind.QUANTIFIER:
            follows = next((k for k in range(n + 1, len(at.shown)) if is_weighty(at.shown[k])), None)
            near = [k for k in range(n + 1, len(at.shown)) if at.shown[k].kind in NAMING][:3]
            if n + 1 < len(at.shown) and at.shown[n + 1].kind in (Kind.CONDITION, Kind.TIME, Kind.FACT):
                near += [k for k in range(n - 1, -1, -1) if at.shown[k].kind in NAMING][:3]
            if focus in near and (n > 0 or follows is None or follows in behind):
                return True
    return focus is None


def _conditions(at: Comparison) -> None:
    """What stands under ``if`` there stands under ``if`` here; a noun's own restriction may become a condition."""
    placed = [(i, j, _condition(at.said[i]), _condition(at.shown[j])) for i, j in at.weighty]
    kept = {ours for _, _, ours, theirs in placed if ours == theirs}
    firsts = {at.said[i].segment: i for i, _ in reversed(at.weighty)}
    moved = [p for p in placed if p[2] != p[3]]
    # "If a book is late, it ..." and "A book ... if it is late": the subject alone changes its clause.
    if len(moved) == 1 and {"", "if"} <= kept and firsts[at.said[moved[0][0]].segment] == moved[0][0]:
        moved = []
    added = [j for _, j, ours, theirs in moved if ours == "if" and not theirs]
    at.found["condition"] += len(moved) - len(added)
    main = [j for _, j, ours, _ in placed if not ours]
    is_case = added and at.shown[min(added)].lead == "for"  # "free if your order is over €50" for "free for orders ..."
    if added and not is_case and (not main or _median(added) > _median(main)):
        at.found["condition"] += 1
    known = {theirs for *_, theirs in placed}
    for term in at.said:
        if term.kind is Kind.CONDITION and term.key in ("unless", "except") and term.key not in known:
            at.found["condition"] += 1
    at.found["restriction"] += len(list(_lost_segments(at)))


def _lost_segments(at: Comparison) -> Iterator[int]:
    """Conditions and exceptions of the evidence that the sentence does not carry along."""
    for segment in sorted({t.segment for t in at.shown} - at.used):
        if all(j in at.of_shown for j, t in enumerate(at.shown) if t.segment == segment):
            continue  # "if not", said in both
        first = next(t for t in at.shown if t.segment == segment)
        scoped = _condition(first) and (segment == 0 or segment - 1 in at.used or segment + 1 in at.used)
        if (
            scoped
            or (first.kind is Kind.CONDITION and first.key == "but" and segment - 1 in at.used)
            or first.kind in (Kind.TIME, Kind.BOUND)
            or (first.kind is Kind.QUANTIFIER and first.key == "only")
            or (segment == 0 and first.lead == "to" and first.start == len("To "))  # to make a claim
            or (first.joint in _REASONS and _is_denied(at, segment - 1))
            or (
                segment + 1 in at.used
                and any(t.segment == segment and (t.kind is Kind.TIME or t.key in _CONDITIONS) for t in at.shown)
            )
        ):
            yield segment


def _is_denied(at: Comparison, segment: int) -> bool:
    """``We do not refund because of the price`` without its reason would deny every refund."""
    return segment in at.used and any(t.kind is Kind.NEGATION and t.segment == segment for t in at.shown)


def _is_same_modal(a: Term, b: Term) -> bool:
    unsure = {a.key, b.key} == {"maybe", "permit"} and (a if a.key == "permit" else b).raw.lower() in _UNSURE
    return a.key == b.key or unsure


def _condition(term: Term) -> str:
    return term.scope if term.scope in _CONDITIONS else ""


def _governor(terms: Sequence[Term], i: int) -> str:
    """The bound or time word over term ``i``: shortly before it, else right behind it (``or more``)."""
    k = i - 1
    if terms[i].kind is Kind.FACT:
        while k >= 0 and terms[k].kind is Kind.FACT:  # before 24 December
            k -= 1
        if k > 0 and is_weighty(terms[k]) and _is_limit(terms[k - 1]):  # at least version 4
            k -= 1
    for at in range(k, max(-1, k - 3), -1):
        if terms[at].segment != terms[i].segment or is_weighty(terms[at]):
            break
        if _is_limit(terms[at]) and not _is_postposed(terms[at]):
            return same_bound(terms[at].key)
    if i + 1 < len(terms) and terms[i].kind is Kind.FACT and terms[i + 1].kind is Kind.BOUND:
        return same_bound(terms[i + 1].key)
    return ""


def _is_limit(term: Term) -> bool:
    return term.kind in (Kind.TIME, Kind.BOUND)


def _is_postposed(term: Term) -> bool:
    return term.raw.lower() in ("or", "and")


def _touches(terms: Sequence[Term], i: int) -> bool:
    return i > 0 and _is_limit(terms[i - 1]) and not _is_postposed(terms[i - 1])


def _median(numbers: Sequence[int]) -> float:
    return sorted(numbers)[len(numbers) // 2]


RULES = (_governors, _negations, _modals, _quantifiers, _conditions)
