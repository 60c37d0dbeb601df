from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ModelMissing
from domain.protocols import Embedder, Vectors
from retriever.generation import describe, embedder_recipe, open_generation
from retriever.opening import GenerationOpener
from retriever.settings import RetrieverSettings
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import KnowledgeBase

LAMPS = "Every lamp has a warranty of five years."


@dataclass
class Shelf:
    """Where former embedders can be had; remembers which recipes were asked for."""

    embedder: Embedder | None
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def open(self, recipe: Mapping[str, Any]) -> Embedder:
        self.asked.append(recipe)
        if self.embedder is None:
            raise ModelMissing("The folder is gone.", "Bring it back.")
        return self.embedder


class Counting(HashEmbedder):
    queries = 0

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        self.queries += len(texts)
        return super().encode_queries(texts)


@pytest.fixture
def filled(kb: KnowledgeBase) -> KnowledgeBase:
    kb.add("warranty.md", LAMPS)
    for n in range(80):  # more than a search may embed by itself
        kb.add(f"more{n}.md", f"Filler number {n}.")
    kb.reindexer.run()
    return kb


@pytest.mark.parametrize("dimension", [16, 24])
def test_changed_embedder_leaves_the_old_pair_answering_until_the_next_promotion(
    filled: KnowledgeBase, dimension: int
) -> None:
    first = filled.generations.live()
    assert first is not None
    old, new = Counting(filled.embedder.dimension), Counting(dimension)
    shelf = Shelf(old)
    retriever = filled.new_retriever(new, open_embedder=shelf.open)
    result = retriever.search("warranty of a lamp", 3)
    assert result.generation == first.generation_id
    assert result.passages[0].passage.text == LAMPS
    assert (result.passages[0].dense_score or 0.0) > 0.5  # found by its meaning, not by its words alone
    assert result.query_vector.shape == (dimension,)  # for callers, who have the configured embedder
    assert retriever.info()["degraded"] is None
    assert "embedder was changed" in str(retriever.info()["stale"])
    assert shelf.asked == [embedder_recipe(filled.settings)]
    assert retriever.needs_reindex()
    report = filled.new_reindexer(new).run()
    retriever.load()
    asked = old.queries
    result = retriever.search("warranty of a lamp", 3)
    assert result.generation == report.generation_id
    assert result.passages[0].passage.text == LAMPS
    assert old.queries == asked
    assert not retriever.needs_reindex()


def test_passage_written_under_the_new_embedder_is_found_in_the_old_pair(filled: KnowledgeBase) -> None:
    retriever = filled.new_retriever(HashEmbedder(24), open_embedder=Shelf(filled.embedder).open)
    retriever.load()
    filled.add("gifts.md", "Gift cards expire after two years.")
    hit = retriever.search("when do gift cards expire", 1).passages[0]
    assert hit.passage.text == "Gift cards expire after two years."
    assert (hit.dense_score or 0.0) > 0.5


@pytest.mark.parametrize("shelf", [Shelf(None), Shelf(HashEmbedder(16))])
def test_former_embedder_that_is_gone_or_another_by_now_is_not_used(filled: KnowledgeBase, shelf: Shelf) -> None:
    retriever = filled.new_retriever(HashEmbedder(24), open_embedder=shelf.open)
    result = retriever.search("warranty of a lamp", 3)
    assert result.generation is None
    assert result.passages[0].passage.text == LAMPS  # by its words
    assert retriever.info()["degraded"] is not None
    assert retriever.needs_reindex()


def test_generation_of_an_older_passage_format_answers_and_is_stale(filled: KnowledgeBase) -> None:
    live = filled.generations.live()
    assert live is not None
    segment = open_generation(filled.artifacts, live, filled.embedder)
    with filled.artifacts.stage("gen-older") as staging:
        for path in filled.generation_files(live.generation_id):
            if path.name != "manifest.json":
                (staging.path / path.name).write_bytes(path.read_bytes())
        staging.facts = describe(segment, filled.embedder, live.revision) | {"passage_format": 0}
    older = replace(live, generation_id="gen-older", manifest_sha256=staging.manifest_sha256)
    filled.generations.register(older)
    filled.generations.promote("gen-older", expected_live=live.generation_id)
    filled.retriever.load()
    assert filled.retriever.search("warranty of a lamp", 3).generation == "gen-older"
    assert filled.retriever.info()["stale"] is not None
    assert filled.retriever.needs_reindex()
    filled.reindexer.run()
    assert not filled.retriever.needs_reindex()
    assert filled.reindexer.rollback().generation_id == "gen-older"
    assert not filled.retriever.needs_reindex()  # who goes back on purpose is not overruled
    assert filled.retriever.info()["generation"] == "gen-older"


def test_without_a_generation_there_is_an_index_of_nothing(kb: KnowledgeBase) -> None:
    pair = GenerationOpener(kb.generations, kb.artifacts, kb.embedder).open()
    assert (pair.snapshot.passage_count, pair.snapshot.live_id, pair.stale) == (0, None, None)


def test_recipe_names_the_folder_absolutely(tmp_path: Path) -> None:
    recipe = embedder_recipe(RetrieverSettings(embedder_path=Path("model"), universal_weight=0.0))
    assert recipe == {"embedder_path": str(Path("model").resolve()), "universal_weight": 0.0, "precision": "bf16"}
    assert RetrieverSettings.model_validate(recipe).embedder_path == Path("model").resolve()
