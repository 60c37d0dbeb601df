from __future__ import annotations

from sqlalchemy import Engine, update

from domain.documents import PASSAGE_FORMAT, DocumentStatus
from storage.documents import DocumentStore
from storage.jobs import JobStore
from storage.stale import StaleDocuments
from storage.tables import document_versions
from storage.transactions import writing
from tests.storage.builders import claim, complete, ingest, upload


def _make_stale(engine: Engine) -> None:
    """As if the program had been one whose format is one behind."""
    with writing(engine) as connection:
        connection.execute(update(document_versions).values(passage_format=PASSAGE_FORMAT - 1))


def test_stale_document_answers_until_its_new_version_is_ready(
    engine: Engine, documents: DocumentStore, jobs: JobStore
) -> None:
    document = ingest(documents, jobs, ["As it was cut."])
    stale = StaleDocuments(engine)
    assert (stale.count(), stale.renew()) == (0, 0)
    _make_stale(engine)
    assert (stale.count(), stale.renew()) == (1, 1)
    assert [passage.text for passage in documents.passages(document.document_id)] == ["As it was cut."]
    assert stale.renew() == 0  # it waits already
    job = claim(jobs)
    renewed = complete(documents, job, ["As it", "is cut now."])
    assert (renewed.status, renewed.version) == (DocumentStatus.READY, 2)
    assert [passage.text for passage in documents.passages(document.document_id)] == ["As it", "is cut now."]
    assert stale.count() == 0


def test_deleted_failed_and_waiting_documents_are_left_alone(
    engine: Engine, documents: DocumentStore, jobs: JobStore
) -> None:
    gone = ingest(documents, jobs, ["Gone."], source="gone.md")
    ingest(documents, jobs, ["Old."], source="replaced.md")
    _make_stale(engine)
    documents.delete(gone.document_id)
    upload(documents, "Newer bytes.", source="replaced.md")
    assert StaleDocuments(engine).renew() == 0
    assert jobs.count_queued() == 1
