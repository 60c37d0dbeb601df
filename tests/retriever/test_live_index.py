from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from domain.indexing import GenerationRecord
from retriever.live_index import LiveIndex
from retriever.opening import GenerationOpener, SearchPair
from tests.retriever.knowledge import KnowledgeBase, flip_bit

LAMPS = "Every lamp has a warranty of five years."


class SlowOpener(GenerationOpener):
    """Reads a generation only while ``gate`` is set, as a disk with a million passages on it would."""

    gate = threading.Event()
    opened = 0

    def open(self) -> SearchPair:
        self.gate.wait(20)
        self.opened += 1
        return super().open()


@pytest.fixture
def filled(kb: KnowledgeBase) -> KnowledgeBase:
    kb.add("warranty.md", LAMPS)
    kb.add("returns.md", "Return it within thirty days.")
    kb.reindexer.run()
    return kb


@pytest.fixture
def opener(filled: KnowledgeBase) -> SlowOpener:
    opener = SlowOpener(filled.generations, filled.artifacts, filled.embedder)
    opener.gate = threading.Event()
    opener.gate.set()
    return opener


@pytest.fixture
def index(filled: KnowledgeBase, opener: SlowOpener) -> Iterator[LiveIndex]:
    index = LiveIndex(filled.documents, filled.vectors, opener)
    index.load()
    yield index
    opener.gate.set()
    index.close()


def _live(kb: KnowledgeBase) -> GenerationRecord:
    live = kb.generations.live()
    assert live is not None
    return live


def test_searches_go_on_over_the_former_generation_while_the_next_is_read(
    filled: KnowledgeBase, opener: SlowOpener, index: LiveIndex
) -> None:
    first = _live(filled).generation_id
    opener.gate.clear()
    second = filled.reindexer.run().generation_id
    for _ in range(3):
        assert index.current().snapshot.generation_id == first
    opener.gate.set()
    index.close()
    assert index.current().snapshot.generation_id == second
    assert opener.opened == 2  # by load, and once for the three searches that noticed


def test_writes_are_seen_by_the_next_search_while_the_next_generation_is_read(
    filled: KnowledgeBase, opener: SlowOpener, index: LiveIndex
) -> None:
    opener.gate.clear()
    filled.reindexer.run()
    index.current()
    gone = filled.documents.get_by_source("shop", "warranty.md")
    assert gone is not None
    filled.documents.delete(gone.document_id)
    filled.add("gifts.md", "Gift cards expire.")
    during = index.current().snapshot
    assert (during.passage_count, during.delta_count) == (2, 1)
    opener.gate.set()
    index.close()
    after = index.current().snapshot
    assert after.generation_id == _live(filled).generation_id
    assert (after.revision, after.passage_count) == (filled.documents.revision(), 2)


def test_process_that_nobody_asks_follows_by_itself(filled: KnowledgeBase, index: LiveIndex) -> None:
    index.follow(0.01)
    second = filled.reindexer.run().generation_id
    filled.add("gifts.md", "Gift cards expire.")
    deadline = time.monotonic() + 20
    while (index.pair is None or index.pair.snapshot.generation_id != second) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert index.pair is not None
    assert index.pair.snapshot.generation_id == second
    index.close()
    filled.reindexer.run()
    assert index.pair.snapshot.generation_id == second  # closed: it follows no more


def test_load_waits_for_the_generation_that_is_live(filled: KnowledgeBase, index: LiveIndex) -> None:
    second = filled.reindexer.run().generation_id
    assert index.load().snapshot.generation_id == second
    assert index.pair is not None
    assert index.pair.snapshot.generation_id == second


def test_generation_whose_files_are_broken_leaves_a_reason_and_is_told_once(filled: KnowledgeBase) -> None:
    first = _live(filled).generation_id
    told: list[str] = []
    opener = GenerationOpener(filled.generations, filled.artifacts, filled.embedder)
    index = LiveIndex(filled.documents, filled.vectors, opener, lambda: told.append("degraded"))
    index.load()
    second = filled.reindexer.run().generation_id
    flip_bit(filled.generation_files(second)[0])
    for _ in range(4):
        index.current()
        index.close()
    snapshot = index.current().snapshot
    assert (snapshot.live_id, snapshot.generation_id) == (second, first)
    assert second in str(snapshot.degraded)
    assert told == ["degraded"]
