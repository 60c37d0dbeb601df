"""A document that was just added counts as found when the search finds it, on a made-up knowledge base."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.bootstrap import build_services
from api.settings import Settings
from benchmarks._made_up import MadeUpKnowledge
from benchmarks.index_upkeep import freshness
from tests.fakes import HashEmbedder


@pytest.mark.parametrize("indexed", [False, True])
def test_every_added_document_is_found_by_the_first_search(tmp_path: Path, indexed: bool) -> None:
    services = build_services(Settings(data_dir=tmp_path), embedder=HashEmbedder())
    services.prepare_storage()
    kb = MadeUpKnowledge(services, 60, victims=1)
    kb.fill()
    if indexed:
        services.reindexer.run()
    found = freshness(services, kb, documents=3)
    services.close()
    assert (found["documents"], found["searches"]) == (3, 3)
    assert 0 < found["median_ms"] <= found["longest_ms"]
