"""kill -9 between any two steps of a re-index, and a disk that is full at any size of file."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.retriever.killed_process import POINTS, LoggingEmbedder
from tests.retriever.knowledge import KnowledgeBase

LAMPS = "Every lamp has a warranty of five years."
QUESTION = "warranty of a lamp"


@pytest.fixture
def filled(kb: KnowledgeBase) -> KnowledgeBase:
    """Three generations, so that the next one prunes, and 1,200 passages whose vectors nobody has stored yet."""
    kb.add("warranty.md", LAMPS)
    for _ in range(3):
        kb.reindexer.run()
    kb.add("many.md", *(f"Filler number {n} of many." for n in range(1200)), store_vectors=False)
    return kb


def _start(kb: KnowledgeBase, point: str, log: Path) -> subprocess.Popen[str]:
    arguments = [str(kb.engine.url), str(kb.artifact_folder.parent), point, str(log)]
    command = [sys.executable, "-m", "tests.retriever.killed_process", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _require_sound(kb: KnowledgeBase) -> None:
    """A process that starts now answers, from the live generation and from nothing half-built."""
    retriever = kb.new_retriever()
    live = kb.generations.live()
    assert live is not None
    result = retriever.search(QUESTION, 3)
    assert result.generation == live.generation_id
    assert result.passages[0].passage.text == LAMPS
    assert "and are found by their words only" in str(retriever.info()["degraded"]) or (
        retriever.info()["degraded"] is None
    )


def _require_tidy(kb: KnowledgeBase) -> None:
    """No folder without an entry, no entry without a folder, nothing half-built."""
    registered = {record.generation_id for record in kb.generations.list_generations()}
    assert {path.name for path in kb.artifact_folder.iterdir()} == registered
    assert len(registered) == kb.settings.keep_generations


@pytest.mark.parametrize("point", POINTS)
def test_reindex_killed_at_a_point_leaves_the_live_generation_and_the_next_run_goes_on(
    filled: KnowledgeBase, point: str, tmp_path: Path
) -> None:
    log = tmp_path / "embedded"
    with _start(filled, point, log) as process:
        assert process.wait(120) == -signal.SIGKILL
    _require_sound(filled)
    report = filled.new_reindexer(LoggingEmbedder(log, "")).run()
    _require_sound(filled)
    _require_tidy(filled)
    assert report.passages == 1201
    embedded = Counter(log.read_text(encoding="utf-8").splitlines())
    assert len(embedded) == 1200
    assert set(embedded.values()) == {1}  # what was stored before the kill is not embedded again


def test_reindex_killed_at_random_moments_never_leaves_a_broken_index(filled: KnowledgeBase, tmp_path: Path) -> None:
    rng = random.Random(4)
    for _ in range(6):
        with _start(filled, "go on", tmp_path / "embedded") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.random() * 0.6)
            process.kill()
        _require_sound(filled)
    filled.reindexer.run()
    _require_sound(filled)
    _require_tidy(filled)


_FULL_DISK = """
import resource, sys
from pathlib import Path
from domain.errors import StorageFull
from storage.engine import create_database_engine
from tests.retriever.knowledge import KnowledgeBase
kb = KnowledgeBase(create_database_engine(sys.argv[1]), Path(sys.argv[2]))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit in map(int, sys.argv[3:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        kb.reindexer.run()
        print("built")
    except StorageFull:
        print("full")
"""


def test_disk_that_is_full_at_any_point_of_the_build_leaves_the_live_generation(filled: KnowledgeBase) -> None:
    live = filled.generations.live()
    filled.reindexer.run(promote=False)  # stores the vectors: the database is not what is short of room here
    limits = [str(int(100 * 1.9**n)) for n in range(16)]
    arguments = [str(filled.engine.url), str(filled.artifact_folder.parent), *limits]
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, *arguments], capture_output=True, text=True, timeout=200, check=True
    )
    outcomes = done.stdout.split()
    assert outcomes[0] == "full"
    assert outcomes.count("full") >= 5
    assert len(outcomes) == len(limits)
    if "built" not in outcomes:
        assert filled.generations.live() == live
    _require_sound(filled)
    filled.reindexer.run()
    _require_tidy(filled)
