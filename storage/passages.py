"""Queries on live passages: what a search may quote, and what changed since an index was built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from domain.documents import Passage, StoredPassage
from domain.ids import sha256_hex
from domain.indexing import PassageChanges
from storage.rows import to_passage, to_stored_passage
from storage.tables import document_versions, documents, passages, revisions, tombstones, vectors
from storage.transactions import chunked, upsert


def read_revision(connection: Connection) -> int:
    return int(connection.execute(select(revisions.c.value)).scalar_one())


def read_passages(connection: Connection, document_id: str, limit: int, offset: int) -> list[Passage]:
    query = (
        select(passages)
        .where(passages.c.document_id == document_id)
        .order_by(passages.c.ordinal)
        .limit(limit)
        .offset(offset)
    )
    return [to_passage(row) for row in connection.execute(query).mappings()]


def fetch_stored(connection: Connection, ids: Sequence[str]) -> dict[str, StoredPassage]:
    found: dict[str, StoredPassage] = {}
    for some in chunked(dict.fromkeys(ids)):
        rows = connection.execute(_stored().where(passages.c.passage_id.in_(some))).mappings()
        found.update({row["passage_id"]: to_stored_passage(row) for row in rows})
    return found


def read_changes(connection: Connection, since: int) -> PassageChanges:
    added = _stored().where(passages.c.added_revision > since).order_by(passages.c.passage_id)
    removed = select(tombstones.c.passage_id).where(tombstones.c.revision > since)
    return PassageChanges(
        revision=read_revision(connection),
        added=tuple(to_stored_passage(row) for row in connection.execute(added).mappings()),
        removed=frozenset(connection.execute(removed).scalars()),
    )


def read_batch(connection: Connection, after: str, size: int) -> list[StoredPassage]:
    """The next ``size`` passages by id: keyset pagination, since OFFSET would read everything before it again."""
    query = _stored().where(passages.c.passage_id > after).order_by(passages.c.passage_id).limit(size)
    return [to_stored_passage(row) for row in connection.execute(query).mappings()]


def count_live(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(passages)).scalar_one())


def bury_passages(connection: Connection, ids: Sequence[str], revision: int) -> None:
    """Delete the passages and leave a tombstone for each."""
    for some in chunked(ids):
        connection.execute(delete(passages).where(passages.c.passage_id.in_(some)))
        statement = upsert(connection, tombstones)
        statement = statement.on_conflict_do_update(
            index_elements=[tombstones.c.passage_id], set_={"revision": statement.excluded.revision}
        )
        connection.execute(statement, [{"passage_id": one, "revision": revision} for one in some])


def purge_vectors(connection: Connection, document_ids: Sequence[str]) -> None:
    """Forget the vectors of texts and FAQ questions that only these documents hold. Called before their passages go."""
    theirs = select(passages.c.search_hash).where(passages.c.document_id.in_(document_ids))
    others = select(passages.c.search_hash).where(
        passages.c.search_hash == vectors.c.search_hash, passages.c.document_id.not_in(document_ids)
    )
    connection.execute(delete(vectors).where(vectors.c.search_hash.in_(theirs), ~others.exists()))
    asked = select(passages.c.question).where(passages.c.question.is_not(None))
    questions = set(connection.execute(asked.where(passages.c.document_id.in_(document_ids))).scalars())
    for some in chunked(sorted(questions)):
        kept = asked.where(passages.c.question.in_(some), passages.c.document_id.not_in(document_ids))
        hashes = [sha256_hex(question) for question in set(some).difference(connection.execute(kept).scalars())]
        connection.execute(delete(vectors).where(vectors.c.search_hash.in_(hashes)))


def _stored() -> Select[Any]:
    """A passage with what a citation needs; the title is that of the version which the passage was cut from."""
    return (
        select(passages, documents.c.collection, document_versions.c.source, document_versions.c.title)
        .join(documents, documents.c.document_id == passages.c.document_id)
        .join(
            document_versions,
            (document_versions.c.document_id == passages.c.document_id)
            & (document_versions.c.version == passages.c.version),
        )
    )
