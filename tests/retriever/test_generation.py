from __future__ import annotations

import json
from dataclasses import replace

import pytest

from domain.errors import ArtifactCorrupt, ModelUnsuitable
from domain.indexing import GenerationRecord
from retriever.generation import describe, open_generation, open_segment, write_segment
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import Entry, KnowledgeBase, flip_bit, segment_of, stored


@pytest.fixture
def record(kb: KnowledgeBase) -> GenerationRecord:
    kb.add("faq.csv", Entry("Five years.", "How long is the warranty?"), "Lamps are shipped in a box.")
    kb.reindexer.run()
    live = kb.generations.live()
    assert live is not None
    return live


def test_generation_read_back_holds_what_was_written(kb: KnowledgeBase, record: GenerationRecord) -> None:
    segment = open_generation(kb.artifacts, record, kb.embedder)
    assert len(segment) == record.passage_count == 2
    assert segment.dense.rows == 3
    assert segment.collections == ("shop",)
    facts = kb.artifacts.open(record.generation_id, record.manifest_sha256).facts
    assert facts["revision"] == record.revision == kb.documents.revision()
    assert facts["vector_fields"][0]["embedder_fingerprint"] == kb.embedder.fingerprint


@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_flipped_bit_anywhere_in_any_file_is_refused(kb: KnowledgeBase, record: GenerationRecord, at: float) -> None:
    for path in kb.generation_files(record.generation_id):
        intact = path.read_bytes()
        flip_bit(path, at)
        with pytest.raises(ArtifactCorrupt):
            open_generation(kb.artifacts, record, kb.embedder)
        path.write_bytes(intact)
    open_generation(kb.artifacts, record, kb.embedder)


def test_truncated_missing_and_additional_files_are_refused(kb: KnowledgeBase, record: GenerationRecord) -> None:
    for path in kb.generation_files(record.generation_id):
        intact = path.read_bytes()
        for broken in (b"", intact[:-1]):
            path.write_bytes(broken)
            with pytest.raises(ArtifactCorrupt):
                open_generation(kb.artifacts, record, kb.embedder)
        path.unlink()
        with pytest.raises(ArtifactCorrupt):
            open_generation(kb.artifacts, record, kb.embedder)
        path.write_bytes(intact)


def test_folder_of_another_generation_is_refused(kb: KnowledgeBase, record: GenerationRecord) -> None:
    kb.add("more.md", "Another passage.")
    other = kb.reindexer.run()
    swapped = replace(record, generation_id=other.generation_id)
    with pytest.raises(ArtifactCorrupt):
        open_generation(kb.artifacts, swapped, kb.embedder)


@pytest.mark.parametrize("dimension", [16, 24, 129])
def test_foreign_embedder_is_refused_by_name_and_dimension(
    kb: KnowledgeBase, record: GenerationRecord, dimension: int
) -> None:
    with pytest.raises(ModelUnsuitable, match=f"hash-{dimension}"):
        open_generation(kb.artifacts, record, HashEmbedder(dimension))


def test_unknown_schema_version_is_refused(kb: KnowledgeBase) -> None:
    segment = segment_of([stored("A lamp.")], kb.embedder)
    with kb.artifacts.stage("gen-old") as staging:
        write_segment(segment, staging.path)
        staging.facts = describe(segment, kb.embedder, 1) | {"schema_version": 0}
    with pytest.raises(ModelUnsuitable, match="schema version 0"):
        open_segment(kb.artifacts, "gen-old", staging.manifest_sha256, kb.embedder)


def test_files_that_do_not_fit_together_are_refused(kb: KnowledgeBase) -> None:
    small, large = (
        segment_of([stored("A lamp.")], kb.embedder),
        segment_of([stored("A lamp.", 1), stored("A box.", 2)], kb.embedder),
    )
    with kb.artifacts.stage("gen-mixed") as staging:
        write_segment(large, staging.path)
        small.dense.write(staging.path / "dense.faiss")
        staging.facts = describe(large, kb.embedder, 1)
    with pytest.raises(ArtifactCorrupt, match="do not fit together"):
        open_segment(kb.artifacts, "gen-mixed", staging.manifest_sha256, kb.embedder)


def test_vocabulary_is_plain_json(kb: KnowledgeBase, record: GenerationRecord) -> None:
    [path] = [p for p in kb.generation_files(record.generation_id) if p.name == "lexical_vocabulary.json"]
    assert "lamp" in json.loads(path.read_text(encoding="utf-8"))
