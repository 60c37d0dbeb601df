"""A follow-up question made to stand alone for retrieval.

``and if I lost it?`` finds nothing by itself. Without a rewriting model the honest way is to search for it together
with what it follows: the customer's last question, and the beginning of the answer for the names it brought in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.chat import ChatMessage, Role
from generator.wording import content_words, leading_words

_MAX_CARRIED_WORDS = 40
_MESSAGES = 4
_MAX_TOLD_WORDS = 60
_FRAGMENT = 2  # content words: up to so many that are no whole question (``for business customers?``) name no matter
_NEXT_TO_NOTHING = 2  # content words
_POINTING = 6  # content words: a longer question with "it" usually says itself what "it" is
_OPENERS = frozenset(
    ("and", "but", "or", "so", "also", "then", "what about", "how about", "what if", "and if", "ok and", "okay and")
)
# fmt: off
_WHOLE_QUESTION_STARTS = frozenset((
    "what", "what's", "whats", "how", "when", "where", "who", "which", "why", "is", "are", "am", "do", "does", "did",
    "can", "could", "will", "would", "should", "may", "was", "were", "has", "have", "i", "i'm", "my", "we", "you",
))
# fmt: on
_POINTERS = frozenset(
    (
        *("it", "its", "they", "them", "their", "that", "this", "these", "those", "one", "ones", "he", "she"),
        *("same", "instead", "else", "otherwise", "both", "either", "thing"),
    )
)
_ACKNOWLEDGEMENT = re.compile(
    r"^(?:(?:ok(?:ay)?|lovely|great|thanks|thank you|perfect|good|nice|cool|alright|i see|right|yes|no|hm+)\b"
    r"[\s,.!:;-]*)+",
    re.IGNORECASE,
)
_MARKS = re.compile(r"\s*\[\d{1,2}\]")


def is_follow_up(question: str) -> bool:
    """True when the question leans on the turn before: it opens with ``and``, points with ``it``, or is a fragment.

    Carrying the last turn into a question of its own is the worse mistake: it answers the last question again.
    """
    words = leading_words(_ACKNOWLEDGEMENT.sub("", question.strip()), 30)
    if not words or any(" ".join(words[: n + 1]) in _OPENERS for n in range(2)):
        return True
    named = len(content_words(" ".join(words)))
    if named < _POINTING and _POINTERS & set(words):
        return True
    return named == 0 or (named <= _FRAGMENT and words[0] not in _WHOLE_QUESTION_STARTS)


def condense(question: str, history: Sequence[ChatMessage]) -> str:
    """What to search for: the question itself, or the previous exchange and then the question.

    An opening question, or one that stands alone, is returned untouched.
    """
    before = carried(history)
    return f"{before} {question.strip()}" if before and is_follow_up(question) else question


def carried(history: Sequence[ChatMessage]) -> str:
    """The beginning of the last question, and of what was told last; empty before the first question."""
    asked_before = _last(history, Role.USER)
    if asked_before is None:
        return ""
    return " ".join(filter(None, (_shorten(asked_before), _shorten(last_answer(history)))))


def last_answer(history: Sequence[ChatMessage]) -> str:
    """What the customer was told last, without marks; empty before the first answer."""
    return _MARKS.sub("", _last(history, Role.ASSISTANT) or "")


def conversation(history: Sequence[ChatMessage]) -> str:
    """The last two exchanges, the beginning of each message."""
    return " ".join(_shorten(_MARKS.sub("", m.content), _MAX_TOLD_WORDS) for m in history[-_MESSAGES:])


def join_part(part: str, before: str) -> str:
    """The second question of a message, with the one ``before`` it only where it points back or says next to nothing.

    ``And do you have parking?`` after a question about prices is a new matter, unlike in a new message.
    """
    points_back = bool(_POINTERS & set(leading_words(part, 30)))
    return f"{_shorten(before)} {part}" if points_back or len(content_words(part)) < _NEXT_TO_NOTHING else part


def _last(history: Sequence[ChatMessage], role: Role) -> str | None:
    return next((m.content for m in reversed(history) if m.role is role and m.content.strip()), None)


def _shorten(text: str, words: int = _MAX_CARRIED_WORDS) -> str:
    return " ".join(text.split()[:words])
