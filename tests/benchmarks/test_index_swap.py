"""The load of the benchmark counts what it is there to count, on a made-up knowledge base."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.bootstrap import Services, build_services
from api.settings import Settings
from benchmarks._made_up import MadeUpKnowledge
from benchmarks.index_swap import Load
from domain.protocols import SearchResult
from tests.fakes import HashEmbedder


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = build_services(Settings(data_dir=tmp_path), embedder=HashEmbedder())
    services.prepare_storage()
    yield services
    services.close()


@pytest.fixture
def kb(services: Services) -> MadeUpKnowledge:
    kb = MadeUpKnowledge(services, 60, victims=6)
    kb.fill()
    for _ in range(2):
        services.reindexer.run()
    services.retriever.load()
    return kb


def test_promotions_under_load_fail_no_search_and_mix_no_turn(services: Services, kb: MadeUpKnowledge) -> None:
    load = Load(services, kb, rate=40.0, blocking=False)

    def swap() -> None:
        for number in range(4):
            services.reindexer.rollback()
            _wait_until(lambda number=number: len(load.observed.seconds) > 5 * number + 5)  # type: ignore[misc]  # bound in the loop
        _wait_until(lambda: load.observed.turns > 0)

    figures = load.run(swap).figures()
    assert (figures["failed"], figures["from_deleted_documents"], figures["turns_of_two_generations"]) == (0, 0, 0)
    assert figures["generations_seen"] == 2


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


class Remembering:
    """A retriever that goes on finding what was deleted."""

    def __init__(self, services: Services) -> None:
        self._retriever = services.retriever
        self._first: dict[str, SearchResult] = {}

    def close(self) -> None:
        self._retriever.close()

    def search(self, query: str, *asked: Any, **options: Any) -> SearchResult:
        return self._first.setdefault(query, self._retriever.search(query, *asked, **options))


def test_answer_from_a_deleted_document_is_counted(services: Services, kb: MadeUpKnowledge) -> None:
    remembering = Remembering(services)
    for number in range(18):
        remembering.search(kb.question(number), 5)
    services.retriever = remembering  # type: ignore[assignment]  # stands in for it
    load = Load(services, kb, rate=40.0, blocking=False)
    load.run(lambda: _wait_until(lambda: load.observed.from_deleted > 0))
