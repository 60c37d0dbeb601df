"""Documents, their versions, and the passages that answers are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import sha256_hex

MAX_PASSAGE_WORDS = 200
# Raise it when documents are parsed or cut in another way, or ``Passage.search_text`` is put together in another way:
# what was made before then counts as stale, goes on answering, and is renewed by the next re-index.
PASSAGE_FORMAT = 2


class DocumentStatus(StrEnum):
    QUEUED = "queued"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"

    @property
    def is_final(self) -> bool:
        """True when no job will change the status any more by itself."""
        return self in (DocumentStatus.READY, DocumentStatus.FAILED, DocumentStatus.DELETED)


class DuplicatePolicy(StrEnum):
    """What an upload does when the collection already holds a document with the same file name."""

    REPLACE = "replace"  # a new version of that document; identical bytes change nothing
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Document:
    """One row of the ledger. ``source`` is the uploaded file's name; ``version`` counts uploads of it from 1.

    ``reason`` says in plain words why a document failed. ``passage_count`` is of the version that answers now.
    """

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


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """The extracted text that passages and quotes point into; it outlives the version's replacement."""

    document_id: str
    version: int
    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading path in a passage: ``passage.text[start:end]``, its headings not included."""

    start: int
    end: int
    heading_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document: ``version.text[start_char:end_char] == text``, at most 200 words.

    Short sections share a passage; their headings stand in ``text``, between the ``sections``; no sections means one,
    the whole text. ``heading_path`` runs from the document's outermost heading inwards, as far as all share it.
    ``question`` is set for an entry of a FAQ file, whose answer is ``text``; the question is never part of it.
    """

    passage_id: str
    document_id: str
    version: int
    ordinal: int
    start_char: int
    end_char: int
    text: str
    heading_path: tuple[str, ...] = ()
    question: str | None = None
    sections: tuple[Section, ...] = ()

    @property
    def heading(self) -> str:
        return " > ".join(self.heading_path)

    @property
    def parts(self) -> tuple[Section, ...]:
        """The sections; the whole text as one where there are none."""
        return self.sections or (Section(0, len(self.text), self.heading_path),)

    def heading_path_at(self, place: int) -> tuple[str, ...]:
        """Of the section that holds ``text[place]``, or that begins next after it."""
        return next((part.heading_path for part in self.parts if place < part.end), self.heading_path)

    @property
    def search_text(self) -> str:
        """What is searched for its words: the question or the shared headings, then the text."""
        lead = self.question or self.heading
        return f"{lead}\n{self.text}" if lead else self.text

    @property
    def search_hash(self) -> str:
        """Key of the stored vector, together with the embedder's fingerprint: of all that ``domain.windows`` reads."""
        return sha256_hex("\n".join(["windows", *map(repr, self.sections), self.search_text]))


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A live passage as the database gives it: with what a citation needs to name its document."""

    passage: Passage
    collection: str
    source: str
    title: str


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A search hit, best first by ``score`` (fused, 0..1).

    ``dense_score`` is the cosine of query and passage (-1..1), ``lexical_score`` the BM25 score (0 upwards);
    None when that half of the search did not return the passage. ``question_score`` is the cosine of the query and the
    FAQ entry's own question, None for passages without one.
    """

    stored: StoredPassage
    score: float
    dense_score: float | None
    lexical_score: float | None
    question_score: float | None = None

    @property
    def passage(self) -> Passage:
        return self.stored.passage
