"""Who does the deed and whom it is done to, as far as the form of the verb tells.

``An adult accompanies children`` and ``children are accompanied by an adult`` are one claim, ``children accompany an
adult`` is another: the same words in either order, told apart by the participle alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from generator.tokens import Token

if TYPE_CHECKING:
    from generator.terms import Term


class Voice(StrEnum):
    """``UNKNOWN`` for what need not be a verb: a noun, or a participle by itself."""

    ACTIVE = "active"
    PASSIVE = "passive"
    UNKNOWN = ""


_BE = frozenset(("is", "are", "was", "were", "be", "been", "being", "get", "gets", "got"))
_NOUN = re.compile(r"(?:ion|ment|al|ance|age|ing|er)s$")
_BETWEEN = frozenset(("not", "also", "only", "always", "never", "usually", "automatically", "then", "fully", "still"))
_HELPERS = frozenset(
    ("can", "could", "may", "might", "must", "will", "shall", "should", "would", "do", "does", "did", "to", "cannot")
)
_BEING_THERE = frozenset(
    ("available", "availability", "there", "exist", "exists", "offered", "provided", "served", "supplied", "included")
)
_HAVING = frozenset((
    "have", "has", "offers", "provides", "includes", "contains", "serves", "features", "supplies", "possesses",
    "include", "contain",
))  # fmt: skip
_DOERS = frozenset(("we", "you", "they", "i", "he", "she", "who"))
_PARTICIPLE = re.compile(
    r"\w{2,}ed$|(?:sen|buil|spen|len|los|bough|brough|caugh|taugh|kep|pai|sai|tol|sol|hel|lef|me|fel|foun|mad|ha)[tde]$|"
    r"(?:tak|giv|writt|chos|brok|stol|eat|driv|ridd|hidd|forgott|forbidd|spok|froz|seen|worn|torn|born|drawn|shown|"
    r"known|grown|thrown|withdrawn|done|gone)(?:en)?$|(?:put|cut|set|let|shut|read|reset|split)$"
)


def voice_of(found: Sequence[Token], i: int) -> Voice:
    """The voice of token ``i`` by what stands right before it: a form of ``be``, a helping verb, or a doer.

    What is there or ``available`` is as good as given; what ``has`` or ``includes`` it gives it.
    """
    if (word := found[i].raw.lower()) in _BEING_THERE:
        return Voice.PASSIVE
    if word in _HAVING:
        return Voice.ACTIVE
    before = i - 1
    while before >= 0 and _form(found[before]) in _BETWEEN:
        before -= 1
    if before < 0 or not found[i].raw.isalpha():
        return Voice.UNKNOWN
    lead, is_done = _form(found[before]), is_participle(word)
    if lead in _BE:
        return Voice.PASSIVE if is_done else Voice.UNKNOWN
    return Voice.ACTIVE if lead in _DOERS or (lead in _HELPERS and not is_done) else Voice.UNKNOWN


def is_participle(word: str) -> bool:
    return bool(_PARTICIPLE.match(word.lower()))


def is_perfect(found: Sequence[Token], i: int) -> bool:
    """True for the ``have`` of ``have opened``, which is no having."""
    after = found[i + 1 : i + 2]
    return _form(found[i]) in ("have", "has", "had") and bool(after) and is_participle(after[0].raw)


def is_turned(one: Term, other: Term) -> bool:
    """True when one wording of the verb is passive and the other active, as the ``s`` of ``accompanies`` tells too."""
    voices = [
        Voice.ACTIVE if t.voice is Voice.UNKNOWN and t.raw.endswith("s") and not _NOUN.search(t.raw) else t.voice
        for t in (one, other)
    ]
    return set(voices) == {Voice.ACTIVE, Voice.PASSIVE}


def _form(token: Token) -> str:
    return token.key if "'" in token.raw.replace("’", "'") else token.raw.lower()
