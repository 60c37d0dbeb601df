"""What a message asks: its limits, and the separate questions in it."""

from __future__ import annotations

import re

from domain.errors import QuestionInvalid
from domain.text import count_words, normalise

_MAX_QUESTIONS = 3
_MIN_WORDS = 3
_ASKS = (
    r"(?:(?:by|for|at|in|until|since|from|to) )?(?:what|what's|whats|how|when|where|who|which|why|is|are|do|does|did|"
    r"can|could|will|would|should|may|am|was|were|has|have)"
)
_BREAKS = re.compile(
    rf"""
    (?<=[?？؟])\s*(?=\S)                                 # a question mark ends a question
    | [.;,]?\s+(?:and\ also|also,|plus,)\s+              # another matter, named as one
    | ,?\s+and\s+(?={_ASKS.replace(" ", chr(92) + " ")}\b)   # "..., and how long ..."
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ASKING = re.compile(rf"(?:^|[.,;:!]\s*|\b(?:and|also|so|but|ok|hi|hello)\s+){_ASKS}\b|[?？؟]\s*$", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")


def validate(question: str, max_chars: int) -> str:
    """The question normalised and trimmed.

    Raises:
        QuestionInvalid: empty, longer than ``max_chars``, or without a single letter.
    """
    # Normalising may lengthen a text (U+0958 becomes two characters), and the search has a limit too.
    text = normalise(question).strip() if len(question) <= max_chars else question
    if len(text) > max_chars:
        raise QuestionInvalid(
            f"The question has {len(text)} characters, the limit is {max_chars}.", "Ask it in fewer words."
        )
    if not text:
        raise QuestionInvalid("The question is empty.", "Type a question.")
    if not _LETTER.search(text):
        raise QuestionInvalid("The question holds no letters.", "Ask it in words.")
    return text


def split_questions(message: str) -> list[str]:
    """At most three questions, in order. Statements stay with the question that follows them, or else the last one.

    Cautious: what is not clearly a second question stays with the first, which costs less than tearing one apart.
    """
    parts: list[str] = []
    for piece in _pieces(message):
        if parts and (not _stands_alone(piece) or not _stands_alone(parts[-1]) or len(parts) >= _MAX_QUESTIONS):
            parts[-1] = f"{parts[-1]} {piece}"
        else:
            parts.append(piece)
    return [_plain(part) for part in parts]


def _pieces(message: str) -> list[str]:
    pieces, start = [], 0
    for match in _BREAKS.finditer(message):
        pieces.append(message[start : match.start()] + message[match.start() : match.end()].rstrip())
        start = match.end()
    pieces.append(message[start:])
    return [piece.strip() for piece in pieces if piece.strip()]


def _stands_alone(piece: str) -> bool:
    return count_words(piece) >= _MIN_WORDS and bool(_ASKING.search(piece))


def _plain(part: str) -> str:
    return re.sub(r"[\s,;]+(?:and(?: also)?|also|plus)?,?$", "", part, flags=re.IGNORECASE).strip() or part
