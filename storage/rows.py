"""Between rows and the vocabulary: nothing above ``storage`` ever sees a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from domain.access import AccessRole, ApiKey
from domain.chat import Answer, AnswerPath, AnswerStatus, Citation, Conversation, Role, Sentence, StoredMessage
from domain.documents import Document, DocumentStatus, DocumentVersion, Passage, Section, StoredPassage
from domain.indexing import GenerationRecord
from domain.jobs import Job, JobKind, JobStatus
from domain.models import ModelRecord


def to_document(row: RowMapping) -> Document:
    return Document(
        document_id=row["document_id"],
        collection=row["collection"],
        source=row["source"],
        title=row["title"],
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        version=row["version"],
        status=DocumentStatus(row["status"]),
        reason=row["reason"],
        passage_count=row["passage_count"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def to_version(row: RowMapping) -> DocumentVersion:
    return DocumentVersion(
        document_id=row["document_id"],
        version=row["version"],
        source=row["source"],
        title=row["title"],
        text=row["text"],
    )


def from_passage(passage: Passage, added_revision: int) -> dict[str, Any]:
    return {
        "passage_id": passage.passage_id,
        "document_id": passage.document_id,
        "version": passage.version,
        "ordinal": passage.ordinal,
        "start_char": passage.start_char,
        "end_char": passage.end_char,
        "text": passage.text,
        "heading_path": list(passage.heading_path),
        "sections": [[part.start, part.end, list(part.heading_path)] for part in passage.sections],
        "question": passage.question,
        "search_hash": passage.search_hash,
        "added_revision": added_revision,
    }


def to_passage(row: RowMapping) -> Passage:
    return Passage(
        passage_id=row["passage_id"],
        document_id=row["document_id"],
        version=row["version"],
        ordinal=row["ordinal"],
        start_char=row["start_char"],
        end_char=row["end_char"],
        text=row["text"],
        heading_path=tuple(row["heading_path"]),
        question=row["question"],
        sections=tuple(Section(start, end, tuple(path)) for start, end, path in row["sections"]),
    )


def to_stored_passage(row: RowMapping) -> StoredPassage:
    return StoredPassage(
        passage=to_passage(row), collection=row["collection"], source=row["source"], title=row["title"]
    )


def to_job(row: RowMapping) -> Job:
    return Job(
        job_id=row["job_id"],
        kind=JobKind(row["kind"]),
        payload=row["payload"],
        status=JobStatus(row["status"]),
        fence=row["fence"],
        attempts=row["attempts"],
        done=row["done"],
        total=row["total"],
        error=row["error"],
        result=row["result"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def to_conversation(row: RowMapping) -> Conversation:
    return Conversation(
        conversation_id=row["conversation_id"],
        collection=row["collection"],
        owner=row["owner"],
        created_at=row["created_at"],
    )


def to_message(row: RowMapping) -> StoredMessage:
    """``body`` is the joined answer's, None on the customer's messages."""
    return StoredMessage(
        message_id=row["message_id"],
        conversation_id=row["conversation_id"],
        role=Role(row["role"]),
        content=row["content"],
        created_at=row["created_at"],
        answer=None if row["body"] is None else to_answer(row["body"]),
    )


def from_answer(answer: Answer) -> dict[str, Any]:
    """The answer as plain JSON; ``to_answer`` reads it back equal."""
    return asdict(answer) | {"timings_ms": dict(answer.timings_ms)}


def to_answer(body: Mapping[str, Any]) -> Answer:
    return Answer(
        answer_id=body["answer_id"],
        text=body["text"],
        status=AnswerStatus(body["status"]),
        path=AnswerPath(body["path"]),
        confidence=body["confidence"],
        sentences=tuple(Sentence(one["text"], tuple(one["citations"])) for one in body["sentences"]),
        citations=tuple(Citation(**one) for one in body["citations"]),
        generation=body["generation"],
        model=body["model"],
        timings_ms=body["timings_ms"],
        language=body.get("language", "en"),  # answers of before there were other languages have neither
        notice=body.get("notice"),
    )


def to_generation(row: RowMapping) -> GenerationRecord:
    return GenerationRecord(
        generation_id=row["generation_id"],
        revision=row["revision"],
        manifest_sha256=row["manifest_sha256"],
        embedder_fingerprint=row["embedder_fingerprint"],
        passage_count=row["passage_count"],
        gate=row["gate"],
        created_at=row["created_at"],
        is_live=bool(row["is_live"]),
    )


def to_model(row: RowMapping) -> ModelRecord:
    return ModelRecord(
        model_id=row["model_id"],
        created_at=row["created_at"],
        manifest_sha256=row["manifest_sha256"],
        base_model=row["base_model"],
        recipe=row["recipe"],
        recipe_sha256=row["recipe_sha256"],
        gate=row["gate"],
        is_live=bool(row["is_live"]),
        promoted_at=row["promoted_at"],
    )


def to_api_key(row: RowMapping) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        prefix=row["prefix"],
        role=AccessRole(row["role"]),
        label=row["label"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
