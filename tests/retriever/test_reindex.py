from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from sqlalchemy import update

from domain.errors import (
    ArtifactCorrupt,
    GateFailed,
    GenerationNotFound,
    ModelUnsuitable,
    PromotionConflict,
    StorageFull,
)
from domain.protocols import Searcher, Vectors
from retriever.gate import GoldenFigures, check_golden
from retriever.settings import RetrieverSettings
from storage.tables import vectors
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import DIMENSION, Entry, KnowledgeBase, flip_bit


class CountingEmbedder(HashEmbedder):
    """Counts the texts it embeds; ``during`` runs before each batch of documents."""

    def __init__(self) -> None:
        super().__init__(DIMENSION)
        self.count = 0
        self.during: Callable[[], None] = lambda: None

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.during()
        self.count += len(texts)
        return super().encode_documents(texts)


class BrokenEmbedder(HashEmbedder):
    """Gives every text a vector of zeros, as arithmetic that underflows would."""

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return np.zeros((len(texts), self.dimension), dtype=np.float32)


@pytest.fixture
def filled(kb: KnowledgeBase) -> KnowledgeBase:
    kb.add("faq.csv", Entry("Five years.", "How long is the warranty?"), Entry("By post.", "How do parcels come?"))
    kb.add("returns.md", "Return it within thirty days.", "Refunds take a week.")
    return kb


def test_run_builds_gates_and_promotes(filled: KnowledgeBase) -> None:
    steps: list[tuple[int, int]] = []
    report = filled.reindexer.run(progress=lambda done, total: steps.append((done, total)))
    live = filled.generations.live()
    assert live is not None
    assert (live.generation_id, report.promoted) == (report.generation_id, True)
    assert (report.passages, report.embedded, report.reused) == (4, 0, 6)
    assert report.gate == {
        "self_recall_at_1": 1.0,
        "passages_probed": 4,
        "faq_recall_at_5": 1.0,
        "questions_probed": 2,
        "exact_recall_at_10": 1.0,
    }
    assert steps[-1] == (4, 4)
    assert live.gate == report.gate


def test_only_missing_vectors_are_embedded_and_a_full_run_embeds_all(kb: KnowledgeBase) -> None:
    embedder = CountingEmbedder()
    kb.add("known.md", "A known passage.")
    kb.add("unknown.md", "Never embedded yet.", "Nor this one.", store_vectors=False)
    reindexer = kb.new_reindexer(embedder)
    assert (reindexer.run().embedded, embedder.count) == (2, 2)
    assert (reindexer.run().embedded, embedder.count) == (0, 2)
    assert (reindexer.run(full=True).embedded, embedder.count) == (3, 5)


def test_full_run_replaces_stored_vectors_that_went_bad(filled: KnowledgeBase) -> None:
    query = filled.embedder.encode_queries(["return it within thirty days"])[0]

    def cosine() -> float:
        filled.retriever.load()
        hits = filled.retriever.search("return it within thirty days", 5).passages
        return max(hit.dense_score or 0.0 for hit in hits if hit.passage.text.startswith("Return it"))

    with filled.engine.begin() as connection:
        data = np.roll(query, 1).astype("<f2").tobytes()
        connection.execute(update(vectors).values(data=data))
    filled.reindexer.run()
    assert cosine() < 0.5
    filled.reindexer.run(full=True)
    assert cosine() > 0.9
    filled.reindexer.run()  # the next night reads what is stored
    assert cosine() > 0.9


def test_write_during_the_build_is_found_afterwards(kb: KnowledgeBase) -> None:
    embedder = CountingEmbedder()
    doomed = kb.add("doomed.md", "This one goes away.")
    kb.add("slow.md", "Being embedded.", store_vectors=False)

    def interfere() -> None:
        embedder.during = lambda: None
        kb.documents.delete(doomed.document_id)
        kb.add("late.md", "Arrived during the build.")

    embedder.during = interfere
    kb.new_reindexer(embedder).run()
    assert kb.texts("arrived during the build", 1) == ["Arrived during the build."]
    assert "This one goes away." not in kb.texts("this one goes away", 50)


def test_without_promotion_the_live_generation_stays(filled: KnowledgeBase) -> None:
    first = filled.reindexer.run()
    second = filled.reindexer.run(promote=False)
    live = filled.generations.live()
    assert live is not None
    assert live.generation_id == first.generation_id
    assert not second.promoted
    assert filled.reindexer.promote(second.generation_id).generation_id == second.generation_id
    assert filled.retriever.search("warranty", 1).generation == second.generation_id


def test_generation_that_fails_the_gate_is_removed_and_the_live_one_stays(filled: KnowledgeBase) -> None:
    first = filled.reindexer.run()
    with pytest.raises(GateFailed):
        filled.new_reindexer(BrokenEmbedder(DIMENSION)).run(full=True)
    live = filled.generations.live()
    assert live is not None
    assert live.generation_id == first.generation_id
    assert filled.artifacts.list_ids() == [first.generation_id]
    assert [record.generation_id for record in filled.generations.list_generations()] == [first.generation_id]


def test_promotion_by_somebody_else_meanwhile_is_a_conflict(kb: KnowledgeBase) -> None:
    embedder = CountingEmbedder()
    kb.add("a.md", "A passage.", store_vectors=False)
    embedder.during = lambda: None

    def interfere() -> None:
        embedder.during = lambda: None
        kb.reindexer.run()

    embedder.during = interfere
    with pytest.raises(PromotionConflict):
        kb.new_reindexer(embedder).run()
    assert len(kb.generations.list_generations()) == 2


def test_old_generations_and_orphaned_folders_are_pruned_but_nothing_else(filled: KnowledgeBase) -> None:
    for name in ("gen-orphan", "model-keep"):
        with filled.artifacts.stage(name) as staging:
            (staging.path / "file").write_text("x")
    reports = [filled.reindexer.run() for _ in range(5)]
    kept = {report.generation_id for report in reports[-3:]}
    assert {record.generation_id for record in filled.generations.list_generations()} == kept
    assert set(filled.artifacts.list_ids()) == kept | {"model-keep"}


def test_pruning_never_removes_the_live_one(filled: KnowledgeBase) -> None:
    reindexer = filled.new_reindexer(settings=RetrieverSettings(keep_generations=1))
    reindexer.run()
    report = reindexer.run()
    assert filled.artifacts.list_ids() == [report.generation_id]
    assert filled.retriever.search("warranty", 1).generation == report.generation_id


def test_rollback_promotes_the_previous_generation(filled: KnowledgeBase) -> None:
    first = filled.reindexer.run()
    filled.reindexer.run()
    assert filled.reindexer.rollback().generation_id == first.generation_id
    assert filled.retriever.search("warranty", 1).generation == first.generation_id


def test_rollback_without_a_previous_generation_is_refused(filled: KnowledgeBase) -> None:
    with pytest.raises(GenerationNotFound):
        filled.reindexer.rollback()
    filled.reindexer.run()
    with pytest.raises(GenerationNotFound):
        filled.reindexer.rollback()


def test_corrupt_or_foreign_generation_is_not_promoted(filled: KnowledgeBase) -> None:
    first, second = filled.reindexer.run(), filled.reindexer.run()
    with pytest.raises(ModelUnsuitable):
        filled.new_reindexer(HashEmbedder(16)).promote(first.generation_id)
    flip_bit(filled.generation_files(first.generation_id)[0])
    with pytest.raises(ArtifactCorrupt):
        filled.reindexer.promote(first.generation_id)
    with pytest.raises(ArtifactCorrupt):
        filled.reindexer.rollback()
    live = filled.generations.live()
    assert live is not None
    assert live.generation_id == second.generation_id


@dataclass
class Golden:
    """Recall@5 by the number of passages that a searcher finds; notes which generations it was shown."""

    recall: Mapping[int, float]
    shown: list[str | None] = field(default_factory=list)

    def __call__(self, searcher: Searcher) -> float:
        result = searcher.search("return warranty parcels refunds", 50)
        self.shown.append(result.generation)
        return self.recall[len(result.passages)]


def test_golden_questions_are_asked_of_the_new_and_of_the_live_generation(filled: KnowledgeBase) -> None:
    golden = Golden({4: 0.9})
    reindexer = filled.new_reindexer(live=filled.retriever, golden=golden)
    first = reindexer.run()
    assert golden.shown == [first.generation_id]  # nothing was live yet
    assert first.gate["golden_recall_at_5"] == 0.9
    second = reindexer.run()
    assert golden.shown[1:] == [second.generation_id, first.generation_id]
    assert second.gate["golden_recall_at_5_before"] == 0.9


@pytest.mark.parametrize(("after", "before", "passes"), [(0.4, None, False), (0.5, None, True), (0.86, 0.9, False)])
def test_golden_gate_has_a_floor_and_a_margin(after: float, before: float | None, passes: bool) -> None:
    settings = RetrieverSettings()
    if passes:
        check_golden(GoldenFigures(after, before), settings.golden_floor, settings.golden_margin)
        return
    with pytest.raises(GateFailed, match="golden questions"):
        check_golden(GoldenFigures(after, before), settings.golden_floor, settings.golden_margin)


def test_generation_that_finds_less_of_the_golden_questions_is_removed(filled: KnowledgeBase) -> None:
    recalls = iter([0.9, 0.8, 0.9])
    reindexer = filled.new_reindexer(live=filled.retriever, golden=lambda _: next(recalls))
    first = reindexer.run()
    with pytest.raises(GateFailed, match=r"0\.800.*0\.900"):
        reindexer.run()
    live = filled.generations.live()
    assert live is not None
    assert live.generation_id == first.generation_id
    assert filled.artifacts.list_ids() == [first.generation_id]


def test_what_a_killed_build_left_is_swept_by_the_next(filled: KnowledgeBase) -> None:
    left = filled.artifact_folder / ".unfinished-gen-killed"
    left.mkdir(parents=True)
    (left / "waiting-text-vectors").write_bytes(b"x")
    filled.reindexer.run()
    assert not left.exists()


def test_full_disk_while_writing_the_index_leaves_the_live_one_and_no_rest(filled: KnowledgeBase) -> None:
    first = filled.reindexer.run()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk(done: int, total: int) -> None:
        if done == total:  # everything is read, the files come next
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))

    try:
        with pytest.raises(StorageFull):
            filled.reindexer.run(progress=fill_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert filled.retriever.search("warranty", 1).generation == first.generation_id
    assert [path.name for path in filled.artifact_folder.iterdir()] == [first.generation_id]
