"""Searches go on while index generations are promoted and rolled back by another process, on the same cores.

    python -m benchmarks.index_swap [--passages N] [--rate R] [--rounds K]

Steady searches (their times count from when they were due, so a stall is felt by all that wait behind it), customer
turns of two questions each, and documents that are deleted; first without, then with ten promotions. Counted: failed
searches, turns whose searches came from two generations, passages of a document that was deleted before the search
began. For comparison the same with the generation opened inside the search that first notices it.

Passages are made up: words drawn by a power law, vectors scattered around 500 centres. The embedder of the questions,
the database (SQLite) and the index are the product's own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from api.bootstrap import Services, build_services
from api.settings import Settings
from benchmarks._made_up import MadeUpKnowledge, peak_rss_mb
from domain.protocols import SearchResult
from generator.agent import Agent
from generator.refusal import SHIPPED_CALIBRATION, RefusalModel
from retriever.settings import RetrieverSettings

_ROOT = Path(__file__).resolve().parent.parent
_SWAPS = 10
_DELETE_EVERY = 2.0  # seconds
_THREADS = 8  # that wait for the searches which are due
_TURN = "How long is the warranty on a lamp? And when will my money be refunded?"


@dataclass(slots=True)
class Observed:
    """What one phase saw. Times in seconds, moments by the monotonic clock."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    generations: set[str | None] = field(default_factory=set)
    from_deleted: int = 0
    turns: int = 0
    mixed_turns: int = 0

    def figures(self) -> dict[str, Any]:
        p50, p95, p99 = (float(np.percentile(self.seconds, share)) * 1000 for share in (50, 95, 99))
        return {
            "searches": len(self.seconds),
            "p50_ms": round(p50, 1),
            "p95_ms": round(p95, 1),
            "p99_ms": round(p99, 1),
            "max_ms": round(max(self.seconds) * 1000, 1),
            "failed": len(self.errors),
            "first_error": next(iter(self.errors), None),
            "from_deleted_documents": self.from_deleted,
            "turns": self.turns,
            "turns_of_two_generations": self.mixed_turns,
            "generations_seen": len(self.generations),
        }


class Recorder:
    """A searcher that remembers the generations of a turn's searches."""

    def __init__(self, search: Callable[..., SearchResult]) -> None:
        self._search = search
        self.generations: list[str | None] = []

    def search(self, *asked: Any, **options: Any) -> SearchResult:
        result = self._search(*asked, **options)
        self.generations.append(result.generation)
        return result


class Load:
    """Steady searches, turns and deletions until ``stop``; ``blocking`` opens a generation inside the search."""

    def __init__(self, services: Services, kb: MadeUpKnowledge, rate: float, *, blocking: bool) -> None:
        self._services = services
        self._kb = kb
        self._rate = rate
        self._blocking = blocking
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._due = time.monotonic()
        self._asked = 0
        self._deleted: dict[str, float] = {}
        self.observed = Observed()

    def run(self, work: Callable[[], None]) -> Observed:
        """The load during ``work``."""
        targets = [*(self._search_steadily for _ in range(_THREADS)), self._take_turns, self._delete]
        threads = [threading.Thread(target=target) for target in targets]
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        return self.observed

    def _one_search(self, *asked: Any, **options: Any) -> SearchResult:
        if self._blocking:
            self._services.retriever.load()
        return self._services.retriever.search(*asked, **options)

    def _search_steadily(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self._asked += 1
                number, due = self._asked, self._due
                self._due = max(due + 1 / self._rate, time.monotonic() - 5.0)
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            try:
                result = self._one_search(self._kb.question(number), 5)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failed search
                self.observed.errors.append(repr(error))
                continue
            self.observed.seconds.append(time.monotonic() - due)
            self.observed.generations.add(result.generation)
            found = {hit.passage.document_id for hit in result.passages}
            gone = [one for one, at in list(self._deleted.items()) if at < began and one in found]
            self.observed.from_deleted += len(gone)

    def _take_turns(self) -> None:
        recorder = Recorder(self._one_search)
        refusal, settings = RefusalModel.load(SHIPPED_CALIBRATION), self._services.settings.generator
        agent = Agent(recorder, self._services.embedder, refusal, None, settings)
        while not self._stop.wait(0.5):
            recorder.generations.clear()
            list(agent.answer(_TURN))
            self.observed.turns += 1
            self.observed.mixed_turns += len(set(recorder.generations[-2:])) > 1

    def _delete(self) -> None:
        while not self._stop.wait(_DELETE_EVERY) and (document_id := self._kb.next_victim()) is not None:
            self._services.documents.delete(document_id)
            self._deleted[document_id] = time.monotonic()


def promote(data_dir: Path, count: int, pause: float) -> None:
    """What runs in the other process: go back and forth between two generations, as ``answerdesk generations`` does."""
    services = build_services(Settings(data_dir=data_dir))
    for _ in range(count):
        time.sleep(pause)
        record = services.reindexer.rollback()
        print(record.generation_id, flush=True)
    time.sleep(pause)
    services.close()


def measure(services: Services, kb: MadeUpKnowledge, rate: float, pause: float, *, blocking: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.index_swap", "--promote", str(services.settings.data_dir)]
    quiet = Load(services, kb, rate, blocking=blocking).run(lambda: time.sleep(pause * (_SWAPS + 1)))

    def swap() -> None:
        subprocess.run([*command, "--pause", str(pause)], check=True, stdout=subprocess.DEVNULL, cwd=_ROOT)

    swapping = Load(services, kb, rate, blocking=blocking).run(swap)
    before, during = quiet.figures(), swapping.figures()
    return {"quiet": before, "swapping": during, "p99_ratio": round(during["p99_ms"] / before["p99_ms"], 2)}


def report(options: argparse.Namespace, data_dir: Path) -> dict[str, Any]:
    settings = Settings(data_dir=data_dir, nightly_at="off", retriever=RetrieverSettings(threads=1))
    services = build_services(settings)
    services.prepare_storage()
    services.load_embedding()
    kb = MadeUpKnowledge(services, options.passages)
    kb.fill()
    reports = [services.reindexer.run().to_dict() for _ in range(2)]
    services.load_searching()
    for number in range(20):
        services.retriever.search(kb.question(number), 5)
    rounds = [measure(services, kb, options.rate, options.pause, blocking=False) for _ in range(options.rounds)]
    compared = measure(services, kb, options.rate, options.pause, blocking=True)
    services.close()
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "passages": options.passages,
        "searches_a_second": options.rate,
        "swaps_a_round": _SWAPS,
        "reindex": reports,
        "rounds": rounds,
        "p99_ratio": float(np.median([one["p99_ratio"] for one in rounds])),
        "opened_inside_the_search": compared,
        "peak_rss_mb": peak_rss_mb(),
    }


def show(result: dict[str, Any]) -> None:
    rounds: Sequence[tuple[str, dict[str, Any]]] = [
        *((f"round {number}", one) for number, one in enumerate(result["rounds"], start=1)),
        ("opened inside the search", result["opened_inside_the_search"]),
    ]
    for name, one in rounds:
        for phase in ("quiet", "swapping"):
            print(f"{name:26}{phase:10}", {k: v for k, v in one[phase].items() if v is not None})
        print(f"{name:26}p99 ratio {one['p99_ratio']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--rate", type=float, default=5.0, help="searches a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between two promotions")
    parser.add_argument("--promote", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=_ROOT / "benchmarks" / "results" / "index_swap.json")
    options = parser.parse_args()
    if options.promote is not None:
        with suppress(KeyboardInterrupt):
            promote(options.promote, _SWAPS, options.pause)
        return
    with tempfile.TemporaryDirectory() as folder:
        result = report(options, Path(folder))
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(result)


if __name__ == "__main__":
    main()
