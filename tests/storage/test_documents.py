"""The ledger of documents: uploads, versions, deletion."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from domain.documents import Document, DocumentStatus, DuplicatePolicy
from domain.errors import Conflict, DocumentNotFound, DocumentNotReady, DuplicateDocument, LeaseLost
from domain.ids import sha256_hex
from domain.jobs import JobStatus
from storage.documents import DocumentStore
from storage.engine import create_database_engine
from storage.jobs import JobStore
from storage.vectors import VectorStore
from tests.storage.builders import EMBEDDER, claim, complete, ingest, upload

PARAGRAPHS = ["Orders ship within two days.", "Returns are free for thirty days."]


def test_upload_enters_a_document_and_a_job(documents: DocumentStore, jobs: JobStore) -> None:
    document, job = upload(documents, "Hello.")
    assert (document.status, document.version, document.passage_count) == (DocumentStatus.QUEUED, 1, 0)
    assert document.created_at.utcoffset() is not None
    assert job is not None
    assert job == jobs.get(job.job_id)
    assert job.payload == {"document_id": document.document_id, "version": 1}
    assert documents.get(document.document_id) == document == documents.get_by_source("shop", "faq.md")


def test_identical_bytes_change_nothing(documents: DocumentStore, jobs: JobStore) -> None:
    first, _ = upload(documents, "Hello.")
    assert upload(documents, "Hello.") == (first, None)
    complete(documents, claim(jobs), PARAGRAPHS)
    ready, job = upload(documents, "Hello.")
    assert (ready.status, ready.version, job) == (DocumentStatus.READY, 1, None)


def test_the_same_name_in_another_collection_is_another_document(documents: DocumentStore) -> None:
    assert upload(documents)[0].document_id != upload(documents, collection="bank")[0].document_id
    assert documents.collections() == ["bank", "shop"]


def test_identical_bytes_of_a_failed_document_are_tried_again(documents: DocumentStore, jobs: JobStore) -> None:
    document, _ = upload(documents)
    job = claim(jobs)
    documents.fail_ingest(job.job_id, job.fence, document.document_id, "It is encrypted.")
    again, new_job = upload(documents)
    assert (again.status, again.version, again.reason) == (DocumentStatus.QUEUED, 2, None)
    assert new_job is not None


def test_a_taken_name_is_refused_when_the_policy_says_so(documents: DocumentStore) -> None:
    upload(documents, "Hello.")
    with pytest.raises(DuplicateDocument, match=r"faq\.md"):
        documents.accept_upload(
            collection="shop",
            source="faq.md",
            title="",
            media_type="text/plain",
            size_bytes=1,
            sha256=sha256_hex("other"),
            policy=DuplicatePolicy.FAIL,
        )


def test_the_old_version_answers_until_the_new_one_is_ready(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, PARAGRAPHS)
    pending, _ = upload(documents, "A new text.")
    assert (pending.version, pending.status, pending.passage_count) == (2, DocumentStatus.QUEUED, 2)
    assert [passage.text for passage in documents.passages(document.document_id)] == PARAGRAPHS
    assert documents.version(document.document_id).version == 1
    complete(documents, claim(jobs), ["A new text."])
    assert [passage.text for passage in documents.passages(document.document_id)] == ["A new text."]
    assert documents.version(document.document_id).text == "A new text."
    assert documents.version(document.document_id, 1).text == "\n\n".join(PARAGRAPHS)


def test_the_old_version_answers_on_when_the_new_one_fails(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, PARAGRAPHS)
    revision = documents.revision()
    upload(documents, "A new text.")
    job = claim(jobs)
    failed = documents.fail_ingest(job.job_id, job.fence, document.document_id, "It is encrypted.")
    assert (failed.status, failed.reason, failed.passage_count) == (DocumentStatus.FAILED, "It is encrypted.", 2)
    assert jobs.get(job.job_id).error == "It is encrypted."
    passages = documents.passages(document.document_id)
    stored = documents.fetch_passages([passage.passage_id for passage in passages])
    assert {one.title for one in stored.values()} == {"faq.md, version 1"}
    assert documents.revision() == revision

    retried, retry_job = documents.retry(document.document_id)
    assert (retried.status, retried.version, retried.reason) == (DocumentStatus.QUEUED, 2, None)
    assert complete(documents, claim(jobs), ["A new text."]).status is DocumentStatus.READY
    assert jobs.get(retry_job.job_id).status is JobStatus.SUCCEEDED


def test_only_a_failed_document_can_be_retried(documents: DocumentStore) -> None:
    document, _ = upload(documents)
    with pytest.raises(Conflict, match="queued"):
        documents.retry(document.document_id)


def test_a_newer_upload_takes_the_job_from_the_worker_of_the_older(documents: DocumentStore, jobs: JobStore) -> None:
    upload(documents, "First.")
    stale = claim(jobs)
    upload(documents, "Second.")
    assert jobs.get(stale.job_id).status is JobStatus.FAILED
    with pytest.raises(LeaseLost):
        complete(documents, stale, ["First."])
    assert complete(documents, claim(jobs), ["Second."]).version == 2


def test_status_follows_the_worker(documents: DocumentStore, jobs: JobStore) -> None:
    document, _ = upload(documents)
    job = claim(jobs)
    parsing = documents.begin_parsing(job.job_id, job.fence, document.document_id)
    embedding = documents.begin_embedding(job.job_id, job.fence, document.document_id)
    assert (parsing.status, embedding.status) == (DocumentStatus.PARSING, DocumentStatus.EMBEDDING)
    for stale in (documents.begin_parsing, documents.begin_embedding):
        with pytest.raises(LeaseLost):
            stale(job.job_id, job.fence - 1, document.document_id)


def test_a_job_does_not_open_another_document(documents: DocumentStore, jobs: JobStore) -> None:
    upload(documents, source="a.md")
    other, _ = upload(documents, source="b.md")
    job = claim(jobs)
    with pytest.raises(LeaseLost):
        documents.fail_ingest(job.job_id, job.fence, other.document_id, "No.")


def test_a_document_without_a_ready_version_has_no_text(documents: DocumentStore) -> None:
    document, _ = upload(documents)
    with pytest.raises(DocumentNotReady, match="queued"):
        documents.version(document.document_id)
    with pytest.raises(DocumentNotFound):
        documents.version(document.document_id, 7)


def test_unknown_ids_are_not_found(documents: DocumentStore) -> None:
    for method in (documents.get, documents.delete, documents.retry, documents.passages, documents.version):
        with pytest.raises(DocumentNotFound):
            method("missing")
    assert documents.get_by_source("shop", "missing.md") is None


def test_deleting_purges_text_passages_and_vectors_but_keeps_the_ledger(
    documents: DocumentStore, jobs: JobStore, vectors: VectorStore
) -> None:
    document = ingest(documents, jobs, PARAGRAPHS)
    hashes = [passage.search_hash for passage in documents.passages(document.document_id)]
    ids = [passage.passage_id for passage in documents.passages(document.document_id)]
    before = documents.revision()
    deleted = documents.delete(document.document_id)
    assert (deleted.status, deleted.passage_count) == (DocumentStatus.DELETED, 0)
    assert documents.fetch_passages(ids) == {}
    assert vectors.get_many(EMBEDDER.fingerprint, hashes) == {}
    assert documents.changes_since(before).removed == set(ids)
    assert documents.revision() == before + 1
    assert documents.get(document.document_id) == deleted == documents.delete(document.document_id)
    assert documents.revision() == before + 1
    for version in (None, 1):
        with pytest.raises(DocumentNotFound):
            documents.version(document.document_id, version)


def test_a_vector_that_another_document_needs_survives(
    documents: DocumentStore, jobs: JobStore, vectors: VectorStore
) -> None:
    one = ingest(documents, jobs, ["Shared.", "Only here."], source="a.md")
    other = ingest(documents, jobs, ["Shared."], source="b.md")
    hashes = [passage.search_hash for passage in documents.passages(one.document_id)]
    documents.delete(one.document_id)
    kept = documents.passages(other.document_id)[0].search_hash
    assert set(vectors.get_many(EMBEDDER.fingerprint, hashes)) == {kept}


def test_deleting_during_ingest_stops_the_worker(documents: DocumentStore, jobs: JobStore) -> None:
    document, _ = upload(documents)
    job = claim(jobs)
    documents.delete(document.document_id)
    with pytest.raises(LeaseLost):
        complete(documents, job, PARAGRAPHS)
    with pytest.raises(LeaseLost):
        documents.fail_ingest(job.job_id, job.fence, document.document_id, "No.")
    assert documents.get(document.document_id).status is DocumentStatus.DELETED
    assert documents.count_passages() == 0


def test_a_deleted_name_can_be_uploaded_again_as_a_new_document(documents: DocumentStore, jobs: JobStore) -> None:
    old = ingest(documents, jobs, PARAGRAPHS)
    documents.delete(old.document_id)
    new = ingest(documents, jobs, PARAGRAPHS)
    assert new.document_id != old.document_id
    assert new.version == 1


def test_deleting_a_collection_leaves_the_others(documents: DocumentStore, jobs: JobStore) -> None:
    ingest(documents, jobs, PARAGRAPHS, source="a.md")
    ingest(documents, jobs, PARAGRAPHS, source="b.md")
    kept = ingest(documents, jobs, PARAGRAPHS, collection="bank")
    assert documents.delete_collection("shop") == 2
    assert documents.delete_collection("shop") == 0
    assert documents.collections() == ["bank"]
    assert documents.list_documents() == [kept]
    assert documents.count_passages() == 2


def test_lists_filter_page_and_hide_the_deleted(documents: DocumentStore, jobs: JobStore) -> None:
    for number in range(3):
        upload(documents, source=f"{number}.md")
    ready = complete(documents, claim(jobs), PARAGRAPHS)
    deleted = documents.delete(upload(documents, source="gone.md")[0].document_id)
    upload(documents, collection="bank")

    def sources(found: list[Document]) -> list[str]:
        return [document.source for document in found]

    assert sources(documents.list_documents()) == ["faq.md", "2.md", "1.md", "0.md"]
    assert sources(documents.list_documents(collection="shop", limit=2, offset=1)) == ["1.md", "0.md"]
    assert documents.list_documents(status=DocumentStatus.READY) == [ready]
    assert documents.list_documents(status=DocumentStatus.DELETED) == [deleted]
    assert documents.count_documents() == 4
    assert documents.count_documents(collection="shop", status=DocumentStatus.QUEUED) == 2
    assert documents.count_documents(status=DocumentStatus.DELETED) == 1


def test_a_blob_is_used_while_a_living_document_has_its_bytes(documents: DocumentStore) -> None:
    digest = sha256_hex("Hello.")
    one, _ = upload(documents, "Hello.")
    other, _ = upload(documents, "Hello.", source="copy.md")
    documents.delete(one.document_id)
    assert documents.is_blob_used(digest)
    documents.delete(other.document_id)
    assert not documents.is_blob_used(digest)


def test_twenty_uploads_of_one_name_at_once_are_one_document(documents: DocumentStore) -> None:
    found: list[Document] = []
    threads = [threading.Thread(target=lambda: found.append(upload(documents)[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert {document.document_id for document in found} == {documents.list_documents()[0].document_id}
    assert documents.count_documents() == 1


def test_a_deleted_documents_text_is_not_in_the_database_file(sqlite_path: Path) -> None:
    engine: Engine = create_database_engine(f"sqlite:///{sqlite_path}")
    documents, jobs = DocumentStore(engine), JobStore(engine)
    document = ingest(documents, jobs, ["The canary word is quetzalcoatlus."])
    engine.dispose()
    assert b"quetzalcoatlus" in sqlite_path.read_bytes()
    documents.delete(document.document_id)
    engine.dispose()
    assert b"quetzalcoatlus" not in b"".join(path.read_bytes() for path in sqlite_path.parent.iterdir())
