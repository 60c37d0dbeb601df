"""Rules on what a wording leaves out of the stretches that prove it: facts, limits, and what narrows a noun."""

from __future__ import annotations

from generator.comparison import NAMING, Comparison, is_weighty
from generator.operators import Kind, is_restricting, same_bound
from generator.terms import is_unit, lexicon
from generator.voice import is_participle, is_turned

_TELLING = ("used",)  # "use" is light, "used tools" are not any tools
_LEADS = frozenset(
    ("on", "in", "at", "with", "without", "for", "from", "by", "to", "of", "that", "who", "which", "where", "per")
)


def _left_out(at: Comparison) -> None:
    """Facts, limits and narrowing words of the stretches that prove the sentence, missing in it."""
    said, said_raw = {t.key for t in at.said}, {t.raw for t in at.said}
    for j, term in enumerate(at.shown):
        if j in at.of_shown or term.segment not in at.used or is_behind_shared_subject(at, j):
            continue
        at.found["limit left out"] += _narrows_behind(at, j) or _is_rate(at, j)
        after = at.shown[j + 1] if j + 1 < len(at.shown) else None
        touches = after is not None and after.start - term.end <= 1 and after.kind in NAMING
        if not any(c.isalnum() for c in term.key):
            at.found["fact left out"] += 1  # a sign: ✗, °, ₹
        elif term.kind is Kind.FACT:
            if term.key == "#1" and after is not None and after.raw in said_raw:
                continue  # "one guest" is "a guest"
            is_name = len(term.raw) > 1 and not any(c.isdigit() for c in term.key)
            at.found["name left out" if is_name else "fact left out"] += term.key not in said
            is_narrowing = touches and j + 1 in at.of_shown and not (after is not None and after.key in lexicon().light)
            at.found["name modifier"] += is_name and is_narrowing
        elif term.kind is Kind.CONTENT and after is not None and touches and j + 1 in at.of_shown:
            is_price = term.key in ("cost", "pay") and "#" in after.key  # "it is €5"
            is_doer = is_turned(at.said[at.of_shown[j + 1]], after)  # "it is left" for "the driver leaves it"
            is_telling = (not term.is_light or term.raw in _TELLING) and is_weighty(after) and not (is_price or is_doer)
            at.found["modifier left out"] += is_telling and term.key not in said
        elif term.kind in (Kind.TIME, Kind.BOUND) and is_restricting(term.kind, term.key):
            at.found["limit left out"] += not any(same_bound(t.key) == same_bound(term.key) for t in at.said)


def _tails(at: Comparison) -> None:
    """``Dogs are welcome on a leash``: what ends the stretch behind a preposition may be the whole point of it."""
    for segment in at.used:
        last = max(j for _, j in at.weighty if at.shown[j].segment == segment)
        tail = [j for j in range(last + 1, len(at.shown)) if at.shown[j].segment == segment]
        for j in tail:
            term, is_per = at.shown[j], at.shown[j].lead == "per"
            is_telling = term.kind is Kind.CONTENT and (is_per or not term.is_light) and term.key not in at.said_keys
            if j in at.of_shown or not is_telling or (is_behind_shared_subject(at, j) and not is_per):
                continue
            at.found["limit left out"] += is_per or any(at.shown[k].lead in _LEADS for k in tail if k <= j)


def _narrows_behind(at: Comparison, j: int) -> bool:
    """``Damage caused by misuse`` is not any damage, and ``the shop at the station`` not any shop."""
    term, before = at.shown[j], at.shown[j - 1] if j else None
    if before is None or before.segment != term.segment or j - 1 not in at.of_shown or not is_weighty(before):
        return False
    is_behind = any(k > j and at.shown[k].segment == term.segment for _, k in at.weighty)
    is_plain = term.kind is Kind.CONTENT and not term.is_light and term.key not in at.said_keys
    return is_behind and is_plain and (term.lead in _LEADS or is_participle(term.raw))


def _is_rate(at: Comparison, j: int) -> bool:
    """``€12 a day`` is more than ``€12``."""
    term, before = at.shown[j], at.shown[j - 1] if j else None
    is_amount = before is not None and before.key.startswith("#") and before.key[-1:] in "€$£¥"
    return is_amount and j - 1 in at.of_shown and is_unit(term.raw) and term.key not in at.said_keys


def is_behind_shared_subject(at: Comparison, j: int) -> bool:
    """``Breakfast is served from 7:00 and costs €9``: the first predicate may go where only the second is told."""
    segment = at.shown[j].segment
    own = sorted({k for _, k in at.weighty if at.shown[k].segment == segment})
    opening = [k for k, t in enumerate(at.shown) if t.segment == segment and is_weighty(t)][: len(own)]
    follows = any(at.shown[k].segment == segment + 1 and at.shown[k].is_linked for _, k in at.weighty)
    return follows and own == opening and j > own[-1]


RULES = (_left_out, _tails)
