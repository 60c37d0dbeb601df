"""Conversations and answers: what is said, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"


class AnswerStatus(StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"
    HANDOFF = "handoff"


class AnswerPath(StrEnum):
    """Which rung of the ladder spoke."""

    CURATED = "curated"
    GENERATED = "generated"
    EXTRACTIVE = "extractive"
    COURTESY = "courtesy"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Citation:
    """Mark ``[n]``: ``quote`` is ``text[start_char:end_char]`` of that document version and ``sha256`` is its hash."""

    n: int
    document_id: str
    source: str
    title: str
    version: int
    passage_id: str
    start_char: int
    end_char: int
    quote: str
    sha256: str
    score: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that the customer sees, with the numbers of the citations that prove it."""

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished turn. ``text`` carries the ``[n]`` marks; ``timings_ms``: retrieve, generate, verify, total.

    ``language`` (ISO 639-1) is that of our own phrases. ``notice``, one of ``sentences``, says that the documents that
    are quoted are in another one; None when they are not.
    """

    answer_id: str
    text: str
    status: AnswerStatus
    path: AnswerPath
    confidence: float
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    generation: str | None
    model: str | None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    language: str = "en"
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a conversation; ``answer`` is set on the assistant's, whose ``message_id`` is the ``answer_id``."""

    message_id: str
    conversation_id: str
    role: Role
    content: str
    created_at: datetime
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """``owner`` is the id of the API key or the anonymous session that may read and continue it."""

    conversation_id: str
    collection: str | None
    owner: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Feedback:
    message_id: str
    rating: Literal["up", "down"]
    reason: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """First event of a turn: how many passages will be read, by id, best first."""

    passage_ids: tuple[str, ...]
    kind: Literal["passages"] = "passages"


@dataclass(frozen=True, slots=True)
class CitationAdded:
    """Sent before the first sentence that carries its mark."""

    citation: Citation
    kind: Literal["citation"] = "citation"


@dataclass(frozen=True, slots=True)
class SentenceVerified:
    sentence: Sentence
    kind: Literal["sentence"] = "sentence"


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """Last event of every turn that did not fail; its kind follows the answer's status.

    ``receipt`` is the operator's record of how the answer came about: JSON-able, never sent to a customer.
    """

    answer: Answer
    receipt: Mapping[str, object] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["answer", "refusal", "handoff"]:
        kinds: dict[AnswerStatus, Literal["answer", "refusal", "handoff"]] = {
            AnswerStatus.ANSWERED: "answer",
            AnswerStatus.REFUSED: "refusal",
            AnswerStatus.HANDOFF: "handoff",
        }
        return kinds[self.answer.status]


TurnEvent = PassagesFound | CitationAdded | SentenceVerified | TurnFinished
