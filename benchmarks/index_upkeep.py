"""What an index costs to keep: memory of a re-index, vectors embedded twice, and how soon a new document is found.

    python -m benchmarks.index_upkeep [--passages N]

Passages are made up, with stored vectors. The re-index runs in a process of its own, whose anonymous memory is sampled
(the pages of mapped files come on top and can be dropped). Catching up is measured on arrays of up to a million
passages that hold ids and masks only, which is all that it reads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np

from api.bootstrap import Services, build_services
from api.settings import Settings
from benchmarks._made_up import MadeUpKnowledge, peak_rss_mb
from retriever.dense import DenseIndex
from retriever.lexical import LexicalIndex
from retriever.segment import IndexEntry, Segment
from retriever.snapshot import LiveSegment, Snapshot

_ROOT = Path(__file__).resolve().parent.parent
_SIZES = (10_000, 100_000, 1_000_000)
_WRITES = ((10, 0), (0, 100), (100, 100), (500, 500))  # passages added and removed
_DIMENSION = 896


def catching_up() -> list[dict[str, Any]]:
    """Milliseconds from the changes that the database told to the next snapshot; the median of seven."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for size in _SIZES:
        ids = np.array(sorted(_id(str(number)) for number in range(size)), dtype=np.bytes_)
        nothing = cast(Any, None)
        codes, places = np.zeros(size, dtype=np.int32), np.arange(size)
        segment = Segment(ids, ("c",), codes, places, cast(DenseIndex, nothing), cast(LexicalIndex, nothing))
        snapshot = Snapshot(revision=1, dimension=_DIMENSION, base=LiveSegment.of(segment))
        for added, removed in _WRITES:
            taken = []
            for turn in range(7):
                entries = _entries(rng, added, turn)
                gone = [str(one, "ascii") for one in rng.choice(ids, removed, replace=False)] if removed else []
                started = time.perf_counter()
                assert snapshot.advance(2, entries, gone).passage_count == size - removed + added
                taken.append((time.perf_counter() - started) * 1000)
            figures = {"median_ms": round(median(taken), 2), "least_ms": round(min(taken), 2)}
            rows.append({"passages": size, "added": added, "removed": removed, **figures})
    return rows


def reindex(data_dir: Path) -> dict[str, Any]:
    """In a process of its own: build twice."""
    services = build_services(Settings(data_dir=data_dir, nightly_at="off"))
    _ = services.embedder.fingerprint  # reads the weights
    before, peak, stop = _anonymous_mb(), [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            peak[0] = max(peak[0], _anonymous_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    first = services.reindexer.run()
    stop.set()
    watcher.join()
    second = services.reindexer.run()
    peak_rss = peak_rss_mb()
    found = freshness(services, MadeUpKnowledge(services, first.passages))
    services.close()
    folder = data_dir / "generations" / first.generation_id
    return {
        "passages": first.passages,
        "seconds": round(first.seconds, 1),
        "embedded": [first.embedded, second.embedded],
        "generation_mb": sum(path.stat().st_size for path in folder.iterdir()) >> 20,
        "anonymous_mb_before": before,
        "anonymous_mb_peak": peak[0],
        "rss_mb_peak": peak_rss,
        "freshness": found,
    }


def freshness(services: Services, kb: MadeUpKnowledge, documents: int = 20) -> dict[str, Any]:
    """Milliseconds from ``ready`` to the end of a search that finds the document, and how often it had to be asked."""
    services.load_searching()
    services.retriever.search(kb.question(1), 5)
    taken, searches = [], 0
    for number in range(documents):
        question = kb.add(number)
        started, found = time.perf_counter(), False
        while not found and time.perf_counter() - started < 60:
            result = services.retriever.search(question, 5)
            found = any(hit.passage.text.endswith(question) for hit in result.passages)
            searches += 1
        taken.append((time.perf_counter() - started) * 1000)
    return {
        "documents": documents,
        "searches": searches,
        "median_ms": round(median(taken), 1),
        "longest_ms": round(max(taken), 1),
    }


def _entries(rng: np.random.Generator, count: int, turn: int) -> Sequence[IndexEntry]:
    rows = rng.standard_normal((count, _DIMENSION)).astype(np.float32)
    return [IndexEntry(_id(f"new {turn} {n}"), "c", ("word", f"word{n}"), row, None) for n, row in enumerate(rows)]


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _anonymous_mb() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) // 1024


def _filled_and_reindexed(passages: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        services = build_services(Settings(data_dir=Path(folder), nightly_at="off"))
        services.prepare_storage()
        MadeUpKnowledge(services, passages).fill()
        services.close()
        command = [sys.executable, "-m", "benchmarks.index_upkeep", "--reindex", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_ROOT)
        return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--reindex", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=_ROOT / "benchmarks" / "results" / "index_upkeep.json")
    options = parser.parse_args()
    if options.reindex is not None:
        print(json.dumps(reindex(options.reindex)))
        return
    result = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "catching_up": catching_up(),
        "reindex": [_filled_and_reindexed(passages) for passages in options.passages],
    }
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
