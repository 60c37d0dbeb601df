"""Every table, in one MetaData: what outlives a process. Change it together with a migration; a test compares them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """Timezone-aware UTC in Python; SQLite stores the same moment as text without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("Times must be timezone-aware.")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# One row: the counter behind "did anything change?". It is also the lock that PostgreSQL's writers queue at.
revisions = Table("revisions", metadata, Column("value", Integer, primary_key=True, autoincrement=False))

# ``version`` is the newest upload's, ``live_version`` the one whose passages answer (None before the first is ready).
documents = Table(
    "documents",
    metadata,
    Column("document_id", String, primary_key=True),
    Column("collection", String, nullable=False),
    Column("source", String, nullable=False),
    Column("title", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("live_version", Integer),
    Column("status", String, nullable=False),
    Column("reason", Text),
    Column("passage_count", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
# Only one document of a name lives in a collection; deleted ones stay in the ledger beside it.
Index(
    "uq_documents_living_source",
    documents.c.collection,
    documents.c.source,
    unique=True,
    sqlite_where=text("status <> 'deleted'"),
    postgresql_where=text("status <> 'deleted'"),
)
Index(None, documents.c.status, documents.c.created_at)

# Extracted text that passages and quotes point into; kept for replaced versions, purged when the document is deleted.
document_versions = Table(
    "document_versions",
    metadata,
    Column("document_id", String, ForeignKey("documents.document_id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("title", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("passage_format", Integer, nullable=False, server_default="1"),  # see domain.documents.PASSAGE_FORMAT
)

# Live passages only. ``added_revision`` is when an index last had to (re)learn the passage.
passages = Table(
    "passages",
    metadata,
    Column("passage_id", String, primary_key=True),
    Column("document_id", String, ForeignKey("documents.document_id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("start_char", Integer, nullable=False),
    Column("end_char", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("heading_path", JSON, nullable=False),
    Column("sections", JSON, nullable=False, server_default="[]"),  # [start, end, heading path] each, or none
    Column("question", Text),
    Column("search_hash", String, nullable=False, index=True),
    Column("added_revision", Integer, nullable=False, index=True),
    UniqueConstraint("document_id", "version", "ordinal"),
)

# Passages that died, so that a process behind the revision can mask them.
tombstones = Table(
    "tombstones",
    metadata,
    Column("passage_id", String, primary_key=True),
    Column("revision", Integer, nullable=False, index=True),
)

vectors = Table(
    "vectors",
    metadata,
    Column("fingerprint", String, primary_key=True),
    Column("search_hash", String, primary_key=True, index=True),
    Column("data", LargeBinary, nullable=False),  # (dimension,) little-endian float16
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("document_id", String, index=True),
    Column("payload", JSON, nullable=False),
    Column("status", String, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", String),
    Column("lease_expires_at", UtcDateTime),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("error", Text),
    Column("result", JSON(none_as_null=True)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
Index(None, jobs.c.status, jobs.c.kind, jobs.c.created_at)

conversations = Table(
    "conversations",
    metadata,
    Column("conversation_id", String, primary_key=True),
    Column("collection", String),
    Column("owner", String, nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
)

# ``position`` orders a conversation: ids cannot, since an answer's id is drawn before its question is stored.
messages = Table(
    "messages",
    metadata,
    Column("message_id", String, primary_key=True),
    Column("conversation_id", String, ForeignKey("conversations.conversation_id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("role", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("conversation_id", "position"),
)

# Every answer given, in a conversation or not; an assistant's message has its answer's id.
answers = Table(
    "answers",
    metadata,
    Column("answer_id", String, primary_key=True),
    Column("question", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("path", String, nullable=False),
    Column("body", JSON, nullable=False),
    Column("receipt", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

feedback = Table(
    "feedback",
    metadata,
    Column("message_id", String, ForeignKey("answers.answer_id"), primary_key=True),
    Column("rating", String, nullable=False),
    Column("reason", Text),
    Column("comment", Text),
    Column("created_at", UtcDateTime, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("generation_id", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("manifest_sha256", String, nullable=False),
    Column("embedder_fingerprint", String, nullable=False),
    Column("passage_count", Integer, nullable=False),
    Column("gate", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# One row: which generation answers, and which one did before it.
live_generation = Table(
    "live_generation",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("live_id", String, ForeignKey("generations.generation_id")),
    Column("previous_id", String, ForeignKey("generations.generation_id")),
)

# The language models that may answer. The migration enters the shipped one, which has no manifest.
models = Table(
    "models",
    metadata,
    Column("model_id", String, primary_key=True),
    Column("manifest_sha256", String),
    Column("base_model", String),
    Column("recipe", String),
    Column("recipe_sha256", String),
    Column("gate", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("promoted_at", UtcDateTime),
)

# One row: which model answers, and which one did before it.
live_model = Table(
    "live_model",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("live_id", String, ForeignKey("models.model_id"), nullable=False),
    Column("previous_id", String, ForeignKey("models.model_id")),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("prefix", String, nullable=False, index=True),
    Column("sha256", String, nullable=False),
    Column("role", String, nullable=False),
    Column("label", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
