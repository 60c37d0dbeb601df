"""A finished ingest is written whole or not at all, and touches only what changed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from domain.documents import DocumentStatus, Passage
from domain.errors import LeaseLost, QuoteMismatch
from domain.jobs import JobStatus
from storage.documents import DocumentStore
from storage.jobs import JobStore
from storage.vectors import VectorStore
from tests.storage.builders import EMBEDDER, claim, complete, ingest, split, upload

PARAGRAPHS = ["Orders ship within two days.", "Returns are free for thirty days."]


def test_a_completed_ingest_is_all_there(documents: DocumentStore, jobs: JobStore, vectors: VectorStore) -> None:
    uploaded, job = upload(documents)
    before = documents.revision()
    document = complete(documents, claim(jobs), PARAGRAPHS, heading="Shipping")
    assert (document.status, document.passage_count, document.title) == (DocumentStatus.READY, 2, "faq.md, version 1")
    assert documents.get(uploaded.document_id) == document
    _, expected = split(document, PARAGRAPHS, heading="Shipping")
    assert documents.passages(document.document_id) == expected
    version = documents.version(document.document_id)
    assert [version.text[each.start_char : each.end_char] for each in expected] == PARAGRAPHS
    assert set(vectors.get_many(EMBEDDER.fingerprint, [each.search_hash for each in expected])) == {
        each.search_hash for each in expected
    }
    assert documents.revision() == before + 1
    assert job is not None
    done = jobs.get(job.job_id)
    assert (done.status, done.result) == (JobStatus.SUCCEEDED, {"passages": 2})


def test_a_stale_fence_writes_nothing(documents: DocumentStore, jobs: JobStore, vectors: VectorStore) -> None:
    document, _ = upload(documents)
    stale = claim(jobs, lease_seconds=-1)
    current = claim(jobs)
    with pytest.raises(LeaseLost):
        complete(documents, stale, PARAGRAPHS)
    assert documents.revision() == 0
    assert documents.passages(document.document_id) == []
    assert documents.get(document.document_id).status is DocumentStatus.QUEUED
    assert complete(documents, current, PARAGRAPHS).status is DocumentStatus.READY


def test_a_job_is_completed_once(documents: DocumentStore, jobs: JobStore) -> None:
    upload(documents)
    job = claim(jobs)
    complete(documents, job, PARAGRAPHS)
    with pytest.raises(LeaseLost):
        complete(documents, job, PARAGRAPHS)
    assert documents.revision() == 1


def test_a_failure_in_the_middle_rolls_everything_back(documents: DocumentStore, jobs: JobStore) -> None:
    document, _ = upload(documents)
    job = claim(jobs)
    text, passages = split(document, PARAGRAPHS)
    with pytest.raises(ValueError, match="finite"):
        documents.complete_ingest(
            job.job_id,
            job.fence,
            document.document_id,
            version=1,
            title="",
            text=text,
            passages=passages,
            vectors={"hash": np.full(4, np.nan, dtype=np.float32)},
            fingerprint="fp",
        )
    assert documents.revision() == 0
    assert documents.count_passages() == 0
    assert jobs.get(job.job_id).status is JobStatus.RUNNING
    assert complete(documents, job, PARAGRAPHS).status is DocumentStatus.READY


@pytest.mark.parametrize("flaw", ["shifted", "altered", "repeated", "foreign"])
def test_passages_that_would_misquote_are_refused(documents: DocumentStore, jobs: JobStore, flaw: str) -> None:
    document, _ = upload(documents)
    job = claim(jobs)
    text, passages = split(document, PARAGRAPHS)
    flawed: dict[str, Passage] = {
        "shifted": dataclasses.replace(passages[0], start_char=1),
        "altered": dataclasses.replace(passages[0], text="Orders ship within two weeks."),
        "repeated": dataclasses.replace(passages[0], passage_id=passages[1].passage_id),
        "foreign": dataclasses.replace(passages[0], version=9),
    }
    with pytest.raises(QuoteMismatch):
        documents.complete_ingest(
            job.job_id,
            job.fence,
            document.document_id,
            version=1,
            title="",
            text=text,
            passages=[flawed[flaw], passages[1]],
            vectors={},
            fingerprint="fp",
        )
    assert documents.count_passages() == 0


def test_unchanged_passages_keep_id_and_vector_when_a_paragraph_is_inserted_above(
    documents: DocumentStore, jobs: JobStore, vectors: VectorStore
) -> None:
    document = ingest(documents, jobs, PARAGRAPHS)
    old = documents.passages(document.document_id)
    hashes = [passage.search_hash for passage in old]
    stored = vectors.get_many(EMBEDDER.fingerprint, hashes)
    revision = documents.revision()
    ingest(documents, jobs, ["We sell shoes.", *PARAGRAPHS])
    new = documents.passages(document.document_id)
    assert [passage.passage_id for passage in new[1:]] == [passage.passage_id for passage in old]
    assert [(passage.ordinal, passage.version) for passage in new] == [(0, 2), (1, 2), (2, 2)]
    assert [documents.version(document.document_id).text[each.start_char : each.end_char] for each in new] == [
        "We sell shoes.",
        *PARAGRAPHS,
    ]
    again = vectors.get_many(EMBEDDER.fingerprint, hashes)
    assert all(np.array_equal(stored[one], again[one]) for one in hashes)
    changes = documents.changes_since(revision)
    assert [each.passage.text for each in changes.added] == ["We sell shoes."]
    assert changes.removed == frozenset()


def test_a_new_heading_counts_as_a_change_though_the_id_stays(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, PARAGRAPHS, heading="Delivery")
    ids = {passage.passage_id for passage in documents.passages(document.document_id)}
    revision = documents.revision()
    ingest(documents, jobs, PARAGRAPHS, heading="Shipping")
    changes = documents.changes_since(revision)
    assert {each.passage.passage_id for each in changes.added} == ids
    assert {each.passage.heading for each in changes.added} == {"Shipping"}
    assert changes.removed == frozenset()


def test_a_document_longer_than_any_in_list_is_replaced_whole(documents: DocumentStore, jobs: JobStore) -> None:
    many = [f"Paragraph {number}." for number in range(1200)]
    document = ingest(documents, jobs, many)
    ids = [passage.passage_id for passage in documents.passages(document.document_id)]
    assert len(documents.fetch_passages(ids)) == 1200
    ingest(documents, jobs, many[:1])
    assert documents.count_passages() == 1
    assert len(documents.changes_since(1).removed) == 1199
