"""What customers thought of answers, as training reads it."""

from __future__ import annotations

from dataclasses import dataclass

from domain.chat import Answer


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """``question`` makes sense without the turns before it; ``helped`` is the customer's thumb."""

    question: str
    answer: Answer
    helped: bool
