"""What callers ask of the scheduler, and the mailbox that the answer comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from domain.errors import AnswerdeskError


@dataclass(slots=True, eq=False)
class Generation:
    """A prompt to continue greedily by at most ``most`` tokens. ``None`` in the mailbox ends it, an error too."""

    prompt: list[int]
    most: int
    mailbox: SimpleQueue[list[int] | AnswerdeskError | None] = field(default_factory=SimpleQueue)
    is_cancelled: bool = False

    def fail(self, error: AnswerdeskError) -> None:
        self.mailbox.put(error)


@dataclass(slots=True, eq=False)
class Scoring:
    """Continuations of a prompt, one token each or more, whose likelihood is asked for."""

    prompt: list[int]
    continuations: Sequence[list[int]]
    mailbox: SimpleQueue[list[float] | AnswerdeskError] = field(default_factory=SimpleQueue)
    is_cancelled: bool = False

    def fail(self, error: AnswerdeskError) -> None:
        self.mailbox.put(error)


Job = Generation | Scoring
