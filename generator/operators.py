"""The words that steer a sentence without naming anything: negations, duties, quantities, bounds, times, conditions.

Two wordings agree when their operators fall into the same classes at the same places; the class tables are the whole
of that knowledge. Phrases are looked up longest first, by stem, so ``no more than`` is one upper bound and no negation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from generator.tokens import Token, tokens


class Kind(StrEnum):
    """What a term is to the proof: something named, a hard fact, or one of the operators."""

    CONTENT = "content"
    FACT = "fact"
    NEGATION = "negation"
    MODAL = "modal"
    QUANTIFIER = "quantifier"
    BOUND = "bound"
    TIME = "time"
    CONDITION = "condition"
    PERSON = "person"
    JOINT = "joint"
    EMPTY = "empty"


_TABLE: dict[tuple[Kind, str], str] = {
    (Kind.NEGATION, "not"): (
        "not, no, non, never, without, nor, neither, none, nothing, nobody, nowhere, hardly, free of, with no"
    ),
    (Kind.MODAL, "permit"): (
        "can, could, may, able, capable, possible, possibly, allow, permit, permitted, enable, let, entitled, "
        "option to, opportunity to, welcome, welcomed"
    ),
    (Kind.MODAL, "maybe"): "might, perhaps, maybe, probably, likely, expected to",
    (Kind.MODAL, "oblige"): (
        "must, need, need to, are to, is to, have to, has to, had to, having to, require, requirement, necessary, "
        "obliged, obligatory, mandatory, compulsory"
    ),
    (Kind.MODAL, "will"): "will, shall",
    (Kind.MODAL, "advise"): "should, ought, ought to, recommend, advise, advisable, suggest, better to",
    (Kind.QUANTIFIER, "all"): (
        "all, every, each, any, whole, entire, always, everybody, everyone, anyone, anybody, everything, "
        "anything, full, whenever, wherever, regardless"
    ),
    (Kind.QUANTIFIER, "most"): (
        "most, mostly, usually, normally, generally, typically, often, mainly, majority, largely"
    ),
    (Kind.QUANTIFIER, "some"): "some, several, multiple, few, a few, sometimes, certain, occasionally",
    (Kind.QUANTIFIER, "many"): "many, numerous, lots of, a lot of, various",
    (Kind.QUANTIFIER, "only"): "only, just, solely, exclusively, merely, nothing but",
    (Kind.QUANTIFIER, "half"): "half, a half, third, quarter",
    (Kind.QUANTIFIER, "first"): "first, initial, initially",
    (Kind.QUANTIFIER, "last"): "last, final, finally",
    (Kind.QUANTIFIER, "next"): "next",
    (Kind.BOUND, "at least"): (
        "at least, minimum, minimum of, min, no less than, not less than, no fewer than, or more, or older, or "
        "newer, or later, or above, or higher, or longer, or over, and more, and over, upwards, as a minimum, no "
        "earlier than"
    ),
    (Kind.BOUND, "at most"): (
        "at most, maximum, maximum of, max, no more than, not more than, never more than, up to, as many as, as "
        "much as, or less, or younger, or earlier, or below, or fewer, or under, not exceed, no later than, not "
        "later than, at the latest"
    ),
    (Kind.BOUND, "more"): (
        "more than, over, above, exceed, greater than, larger than, bigger than, longer than, older than, heavier "
        "than, higher than, beyond"
    ),
    (Kind.BOUND, "less"): (
        "less than, under, below, fewer than, smaller than, lower than, shorter than, younger than, lighter than, "
        "cheaper than"
    ),
    (Kind.BOUND, "about"): "about, approximately, around, roughly, almost, nearly, circa, approx, estimated",
    (Kind.TIME, "before"): "before, prior, prior to, ahead, ahead of, in advance, in advance of, earlier, beforehand",
    (Kind.TIME, "after"): "after, following, afterwards, thereafter, after that",
    (Kind.TIME, "until"): "until, till, by the end of, as late as",
    (Kind.TIME, "within"): "within, inside of",
    (Kind.JOINT, "range"): "between",
    (Kind.TIME, "during"): "during, while, throughout",
    (Kind.TIME, "immediately"): "immediately, at once, instantly, right away, straight away",
    (Kind.CONDITION, "if"): (
        "if, when, once, in case, in case of, in the event of, as soon as, as long as, so long as, provided that, "
        "on condition that, where, should you, in order to, on condition"
    ),
    (Kind.CONDITION, "unless"): "unless, except if, except when, save if",
    (Kind.CONDITION, "except"): (
        "except, except for, excluding, apart from, other than, but not, with the exception of, aside from, "
        "besides, exclude, exclusion, exception, instead of, rather than"
    ),
    (Kind.CONDITION, "even if"): "even if, even when, even though, although, though, despite, in spite of",
    (Kind.CONDITION, "but"): "but, however, yet, whereas",
    (Kind.CONDITION, "otherwise"): "otherwise, or else, if not",
    (Kind.PERSON, "we"): "we, us, ourselves",
    (Kind.PERSON, "you"): "you, yourself, yourselves",
    (Kind.JOINT, "and"): "and, or, as well as, plus, along with, &, and or, but also",
    (Kind.JOINT, "reason"): "because, because of, due to, so that",
    (Kind.EMPTY, ""): (
        "our, ours, your, yours, is, are, was, were, be, been, being, am, do, does, did, done, has, had, have "
        "been, would, it, its, they, them, their, theirs, this, that, these, those, he, she, his, "
        "her, who, whom, whose, which, what, how, of, to, in, on, at, for, with, by, from, into, onto, as, per, "
        "than, upon, there, here, please, so, then, very, really, quite, indeed, simply, currently, at this time, "
        "at the moment, at present, now, therefore, thus, hence, such, such "
        "as, own, self, itself, themselves, i, me, my, one of, of course, sure, certainly, in total, "
        "respectively, about it, in addition, namely, i e, via, through, of your choice, in question, in fact, "
        "that is, actually, already, still, even, way, make sure, be sure, means, exactly, whether, towards, "
        "regarding, concerning, according to, just like, in the same way, let you know, note that, keep in mind, "
        "together with, afraid, sorry, unfortunately, yes, currently, regret, also, too, as well, both, either, "
        "presently, nowadays, furthermore, moreover, basically, kindly, strictly, completely, absolutely, sadly, "
        "regrettably, fully, entirely, anyway, fortunately, luckily"
    ),
}
# Words that hold two operators, or a negation and what it denies.
_COMPOUNDS: dict[str, tuple[tuple[Kind, str], ...]] = {
    **dict.fromkeys(
        (
            "forbid",
            "forbidden",
            "prohibit",
            "prohibited",
            "ban",
            "banned",
            "disallow",
            "unable",
            "impossible",
            "refuse",
        ),
        ((Kind.NEGATION, "not"), (Kind.MODAL, "permit")),
    ),
    **dict.fromkeys(("unavailable", "lack", "lacks"), ((Kind.NEGATION, "not"), (Kind.CONTENT, "offer"))),
    "right after": ((Kind.TIME, "immediately"), (Kind.TIME, "after")),
    "directly after": ((Kind.TIME, "immediately"), (Kind.TIME, "after")),
    "unnecessary": ((Kind.NEGATION, "not"), (Kind.MODAL, "oblige")),
}
_ABLE = frozenset((
    "transferable", "refundable", "returnable", "exchangeable", "cancellable", "cancelable", "renewable", "adjustable",
    "removable", "extendable", "redeemable", "convertible", "washable", "rechargeable", "deductible", "reservable",
    "bookable",
))  # fmt: skip
_RESTRICTING = frozenset(("most", "some", "only", "half", "first", "last", "next", "many"))

_SAME_BOUND = {"within": "at most", "until": "at most"}

Entry = tuple[tuple[Kind, str], ...]


def is_restricting(kind: Kind, name: str) -> bool:
    """True for an operator that narrows what is said: to leave it out says more than was proven."""
    if kind is Kind.QUANTIFIER:
        return name in _RESTRICTING
    return kind in (Kind.BOUND, Kind.CONDITION, Kind.TIME) and name not in ("even if", "immediately")


def able(word: str) -> str:
    """``transfer`` of ``transferable``, which is a deed and the permission to do it; empty for other words."""
    lowered = word.lower()
    return re.sub(r"l?l?[ai]ble$", "", lowered) if lowered in _ABLE else ""


def same_bound(name: str) -> str:
    """``Until 7 days before`` is ``up to 7 days before``."""
    return _SAME_BOUND.get(name, name)


def is_form_of_operator(run: Sequence[Token]) -> bool:
    """False for ``Basic``, ``present`` or ``normal``, which the stemmer takes for ``basically`` and the like."""
    return len(run) > 1 or run[0].key not in _adverb_keys() or run[0].raw.lower().endswith("ly")


@lru_cache(maxsize=1)
def _adverb_keys() -> frozenset[str]:
    """The stems that the table has in ``-ly`` only."""
    words = [word for phrases in _TABLE.values() for word in phrases.split(", ") if " " not in word]
    plain = {phrase_key(word) for word in words if not word.endswith("ly")}
    return frozenset(key[0] for word in words if word.endswith("ly") and (key := phrase_key(word)) not in plain)


def phrase_key(phrase: str) -> tuple[str, ...]:
    """The stems by which a phrase is looked up; articles fall out, as they do in every text."""
    return tuple(token.key for token in tokens(phrase))


@lru_cache(maxsize=1)
def operators() -> dict[tuple[str, ...], Entry]:
    """Every operator phrase by its stems."""
    table: dict[tuple[str, ...], Entry] = {}
    for (kind, name), phrases in _TABLE.items():
        for phrase in phrases.split(", "):
            if key := phrase_key(phrase):
                table.setdefault(key, ((kind, name),))
    for word, entry in _COMPOUNDS.items():
        table[phrase_key(word)] = entry
    return table
