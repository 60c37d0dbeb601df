"""What a finished ingest writes, all or nothing: version text, passages, tombstones, vectors, status, revision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, case, delete, insert, select, update

from domain.documents import PASSAGE_FORMAT, DocumentStatus, Passage
from domain.errors import QuoteMismatch
from storage.passages import bury_passages
from storage.rows import from_passage
from storage.tables import document_versions, documents, passages, tombstones
from storage.transactions import bump_revision, chunked, database_time, upsert
from storage.vectors import write_vectors


@dataclass(frozen=True, slots=True)
class IngestedVersion:
    """``vectors`` are (dimension,) float32 by search hash, those that the worker had to embed anew."""

    document_id: str
    version: int
    title: str
    text: str
    passages: Sequence[Passage]
    vectors: Mapping[str, NDArray[np.float32]]
    fingerprint: str


def check_passages(ingested: IngestedVersion) -> None:
    """The invariants that citations stand on.

    Raises:
        QuoteMismatch: a passage is not the stretch of text that it claims to be, or two passages share an id.
    """
    remedy = "The splitter is at fault; nothing was stored."
    for passage in ingested.passages:
        belongs = (passage.document_id, passage.version) == (ingested.document_id, ingested.version)
        if not belongs or ingested.text[passage.start_char : passage.end_char] != passage.text:
            raise QuoteMismatch(
                f"Passage {passage.ordinal} is not characters {passage.start_char} to {passage.end_char} of version "
                f"{ingested.version} of document {ingested.document_id}.",
                remedy,
            )
    repeated = [one for one, count in Counter(each.passage_id for each in ingested.passages).items() if count > 1]
    if repeated:
        raise QuoteMismatch(f"{len(repeated)} passage ids occur more than once, the first is {repeated[0]}.", remedy)


def write_ingested(connection: Connection, ingested: IngestedVersion) -> None:
    """Replaces what the document answers with. The caller holds the write lock and has checked the fence."""
    revision = bump_revision(connection)
    now = database_time(connection)
    _write_version(connection, ingested, now)
    _replace_passages(connection, ingested, revision)
    write_vectors(connection, ingested.fingerprint, ingested.vectors)
    connection.execute(
        update(documents)
        .where(documents.c.document_id == ingested.document_id)
        .values(
            status=DocumentStatus.READY,
            reason=None,
            title=ingested.title,
            live_version=ingested.version,
            passage_count=len(ingested.passages),
            updated_at=now,
        )
    )


def _write_version(connection: Connection, ingested: IngestedVersion, now: datetime) -> None:
    source = select(documents.c.source).where(documents.c.document_id == ingested.document_id)
    row = {
        "document_id": ingested.document_id,
        "version": ingested.version,
        "source": connection.execute(source).scalar_one(),
        "title": ingested.title,
        "text": ingested.text,
        "created_at": now,
        "passage_format": PASSAGE_FORMAT,
    }
    connection.execute(insert(document_versions).values(**row))


def _replace_passages(connection: Connection, ingested: IngestedVersion, revision: int) -> None:
    """An unchanged passage keeps its row and its ``added_revision``, so that no index has to learn it again."""
    existing = select(passages.c.passage_id).where(passages.c.document_id == ingested.document_id)
    new_ids = [passage.passage_id for passage in ingested.passages]
    gone = sorted(set(connection.execute(existing).scalars()).difference(new_ids))
    bury_passages(connection, gone, revision)
    for some in chunked(new_ids):
        connection.execute(delete(tombstones).where(tombstones.c.passage_id.in_(some)))
    statement = upsert(connection, passages)
    new = statement.excluded
    relearn = case((passages.c.search_hash != new.search_hash, new.added_revision), else_=passages.c.added_revision)
    places = ("version", "ordinal", "start_char", "end_char", "heading_path", "sections", "question")
    moved = {name: new[name] for name in places}
    statement = statement.on_conflict_do_update(
        index_elements=[passages.c.passage_id],
        set_=moved | {"search_hash": new.search_hash, "added_revision": relearn},
    )
    for chunk in chunked(ingested.passages):
        connection.execute(statement, [from_passage(passage, revision) for passage in chunk])
