"""What may come in and what goes out: every field named, nothing else accepted, nothing else shown.

The views read from the domain's dataclasses (``AnswerView.model_validate(answer)``); a new field of a dataclass is not
shown to anybody before it is named here.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.uploads import safe_collection
from domain.access import AccessRole
from domain.chat import AnswerPath, AnswerStatus, Role
from domain.documents import Document, DocumentStatus, Passage, ScoredPassage
from domain.errors import InvalidInput
from domain.jobs import JobKind, JobStatus

MAX_INTEGER = 2**31 - 1  # PostgreSQL's integer


def _storable(text: str) -> str:
    """NFC text that every database takes; PostgreSQL refuses NUL, and a lone surrogate has no UTF-8."""
    if "\x00" in text or any("\ud800" <= ch <= "\udfff" for ch in text):
        raise ValueError("holds a NUL character or half of a surrogate pair, which is not text")
    return unicodedata.normalize("NFC", text)


def _collection(name: str) -> str:
    try:
        return safe_collection(name)
    except InvalidInput as error:
        raise ValueError(f"{error.detail} {error.remedy}") from error


Text = Annotated[str, AfterValidator(_storable)]
CollectionName = Annotated[str, AfterValidator(_storable), AfterValidator(_collection)]


class RequestBody(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchFilters(RequestBody):
    collection: CollectionName | None = None


class SearchRequest(RequestBody):
    query: Text
    top_k: int | None = Field(default=None, ge=1, le=50)
    filters: SearchFilters = SearchFilters()


class ConversationRequest(RequestBody):
    collection: CollectionName | None = None


class MessageRequest(RequestBody):
    content: Text


class FeedbackRequest(RequestBody):
    rating: Literal["up", "down"]
    reason: Annotated[Text, Field(max_length=200)] | None = None
    comment: Annotated[Text, Field(max_length=2000)] | None = None


class ReindexRequest(RequestBody):
    full: bool = False
    promote: bool = True


class View(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def from_domain(cls, value: object) -> Self:
        """From a dataclass with attributes of the same names."""
        return cls.model_validate(value)


class DocumentView(View):
    document_id: str
    collection: str
    source: str
    title: str
    media_type: str
    size_bytes: int
    sha256: str
    version: int
    status: DocumentStatus
    reason: str | None
    passage_count: int
    created_at: datetime
    updated_at: datetime


class JobView(View):
    job_id: str
    kind: JobKind
    status: JobStatus
    attempts: int
    done: int
    total: int
    error: str | None
    result: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class AcceptedDocument(View):
    """``job`` is null when the same bytes are already there under this name: nothing is to be done."""

    document: DocumentView
    job: JobView | None


class UploadView(View):
    documents: list[AcceptedDocument]


class DocumentListView(View):
    documents: list[DocumentView]
    total: int
    revision: int


class DocumentTextView(View):
    document_id: str
    version: int
    source: str
    title: str
    text: str


class CollectionDeletedView(View):
    collection: str
    deleted: int


class PassageView(View):
    """A passage with its document's names; the scores are null when it was not searched for."""

    passage_id: str
    document_id: str
    source: str
    title: str
    text: str
    start_char: int
    end_char: int
    score: float | None = None
    dense_score: float | None = None
    lexical_score: float | None = None
    question_score: float | None = None
    version: int
    ordinal: int
    heading_path: list[str]
    question: str | None

    @classmethod
    def from_scored(cls, hit: ScoredPassage) -> PassageView:
        view = cls._of(hit.passage, hit.stored.source, hit.stored.title)
        return view.model_copy(
            update={
                "score": hit.score,
                "dense_score": hit.dense_score,
                "lexical_score": hit.lexical_score,
                "question_score": hit.question_score,
            }
        )

    @classmethod
    def from_passage(cls, passage: Passage, document: Document) -> PassageView:
        return cls._of(passage, document.source, document.title)

    @classmethod
    def _of(cls, passage: Passage, source: str, title: str) -> PassageView:
        return cls(
            passage_id=passage.passage_id,
            document_id=passage.document_id,
            source=source,
            title=title,
            text=passage.text,
            start_char=passage.start_char,
            end_char=passage.end_char,
            version=passage.version,
            ordinal=passage.ordinal,
            heading_path=list(passage.heading_path),
            question=passage.question,
        )


class DocumentPassagesView(View):
    document_id: str
    passages: list[PassageView]


class SearchView(View):
    passages: list[PassageView]
    generation: str | None


class SentenceView(View):
    text: str
    citations: list[int]


class CitationView(View):
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


class AnswerView(View):
    answer_id: str
    text: str
    status: AnswerStatus
    path: AnswerPath
    confidence: float
    sentences: list[SentenceView]
    citations: list[CitationView]
    generation: str | None
    model: str | None
    timings_ms: dict[str, float]
    language: str
    notice: str | None


class ConversationView(View):
    conversation_id: str
    collection: str | None
    created_at: datetime


class MessageView(View):
    message_id: str
    role: Role
    content: str
    created_at: datetime
    answer: AnswerView | None


class MessageListView(View):
    conversation_id: str
    messages: list[MessageView]


class SessionView(View):
    token: str
    role: AccessRole
    expires_at: datetime


class KeyView(View):
    """A key as lists show it; the key itself is shown once, when it is made, and not kept."""

    key_id: str
    prefix: str
    role: AccessRole
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class ReindexView(View):
    job: JobView


class GenerationView(View):
    generation_id: str
    revision: int
    embedder_fingerprint: str
    passage_count: int
    gate: dict[str, Any]
    created_at: datetime
    is_live: bool


class GenerationListView(View):
    """``nightly_at`` is the setting: a local time of the server, or off."""

    generations: list[GenerationView]
    live: str | None
    nightly_at: str
