"""Reading passages: by id, by change, and all of them."""

from __future__ import annotations

from storage.documents import DocumentStore
from storage.jobs import JobStore
from tests.storage.builders import ingest

PARAGRAPHS = ["Orders ship within two days.", "Returns are free for thirty days."]


def test_a_fetched_passage_names_its_document(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, PARAGRAPHS)
    passage = documents.passages(document.document_id)[0]
    stored = documents.fetch_passages([passage.passage_id, "missing", passage.passage_id])
    assert list(stored) == [passage.passage_id]
    one = stored[passage.passage_id]
    assert (one.passage, one.collection, one.source) == (passage, "shop", "faq.md")
    assert one.title == "faq.md, version 1"
    assert documents.fetch_passages([]) == {}


def test_a_removed_passage_vanishes_and_is_reported_removed(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, PARAGRAPHS)
    kept, dropped = documents.passages(document.document_id)
    ingest(documents, jobs, PARAGRAPHS[:1])
    assert set(documents.fetch_passages([kept.passage_id, dropped.passage_id])) == {kept.passage_id}
    changes = documents.changes_since(1)
    assert (changes.revision, changes.added, changes.removed) == (2, (), {dropped.passage_id})
    assert documents.changes_since(2).removed == frozenset()


def test_a_passage_that_comes_back_is_added_and_no_longer_removed(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, PARAGRAPHS)
    wanderer = documents.passages(document.document_id)[1].passage_id
    ingest(documents, jobs, PARAGRAPHS[:1])
    ingest(documents, jobs, [*PARAGRAPHS, "And one more."])
    for revision in (1, 2):
        changes = documents.changes_since(revision)
        assert wanderer in {each.passage.passage_id for each in changes.added}
        assert changes.removed == frozenset()


def test_changes_since_zero_are_everything_live(documents: DocumentStore, jobs: JobStore) -> None:
    ingest(documents, jobs, PARAGRAPHS, source="a.md")
    gone = ingest(documents, jobs, PARAGRAPHS, source="b.md")
    documents.delete(gone.document_id)
    changes = documents.changes_since(0)
    assert changes.revision == documents.revision() == 3
    assert {each.source for each in changes.added} == {"a.md"}
    assert len(changes.removed) == 2


def test_repeated_text_is_two_passages(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, ["Call us.", "Call us."])
    assert len({passage.passage_id for passage in documents.passages(document.document_id)}) == 2


def test_iterating_gives_each_live_passage_once_in_the_order_of_ids(documents: DocumentStore, jobs: JobStore) -> None:
    for name in ("a.md", "b.md"):
        ingest(documents, jobs, [f"{name} says {number}." for number in range(5)], source=name)
    batches = list(documents.iterate_passages(batch_size=3))
    ids = [stored.passage.passage_id for batch in batches for stored in batch]
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    assert ids == sorted(set(ids))
    assert len(ids) == documents.count_passages() == 10


def test_an_empty_knowledge_base_is_no_special_case(documents: DocumentStore) -> None:
    assert list(documents.iterate_passages()) == []
    assert documents.count_passages() == 0
    assert documents.collections() == []
    assert documents.changes_since(0).added == ()


def test_passages_of_a_document_come_in_pages(documents: DocumentStore, jobs: JobStore) -> None:
    document = ingest(documents, jobs, [f"Paragraph {number}." for number in range(12)])
    page = documents.passages(document.document_id, limit=3, offset=9)
    assert [passage.text for passage in page] == ["Paragraph 9.", "Paragraph 10.", "Paragraph 11."]
