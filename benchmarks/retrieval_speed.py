"""How fast the retriever indexes and searches, beside Haystack and txtai in the same run.

    python -m benchmarks.retrieval_speed                       all parts; an hour on two cores
    python -m benchmarks.retrieval_speed --quick               smaller numbers; minutes
    python -m benchmarks.retrieval_speed --part search         one of: indexing, search, index
    python -m benchmarks.retrieval_speed --sizes 1000000       with --part search

Reads the public data (``--data``, ../shared/data). Passages and questions are real; above the number of real vectors
(``--real``) vectors are jittered copies, see ``_retrieval_corpus``. Each size is built and searched in processes of its
own, through the product's segments, artifacts, embedders and search; only the reading of the found texts from the
database is left out. Writes benchmarks/results/retrieval_speed.json, part by part, and a plot to docs/images.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks._plot import plot_lines
from benchmarks._retrieval_corpus import exact_best, jittered, read_passages, read_questions, real_vectors
from domain.protocols import Vectors
from generator.train.sources import read_rows
from retriever.building import SegmentBuilder
from retriever.correction import QueryCorrector
from retriever.dense import DenseIndex
from retriever.embedder import MiniLMEmbedder, bundled_model_path
from retriever.ensemble import EnsembleEmbedder, LoadableEmbedder, Member
from retriever.generation import describe, open_segment, write_segment
from retriever.segment import IndexEntry, Segment
from retriever.settings import RetrieverSettings
from retriever.snapshot import LiveSegment, Query, Snapshot
from retriever.terms import extract_terms
from retriever.universal import UniversalEmbedder
from storage.artifacts import ArtifactStore

_ROOT = Path(__file__).resolve().parent.parent
_RESULTS = _ROOT / "benchmarks" / "results" / "retrieval_speed.json"
_PLOT = _ROOT / "docs" / "images" / "retrieval-index-choices.svg"
_SETTINGS = RetrieverSettings()
_TEXTS = 100_000  # different passages whose terms are indexed; larger sizes repeat them
_CUSTOMERS = 20
_BATCH = 500


def main() -> None:
    arguments = _arguments()
    if arguments.step:
        print(json.dumps(_STEPS[arguments.step](arguments)))
        return
    for part in [arguments.part] if arguments.part else ["indexing", "index", "search"]:
        found = {"machine": _machine(), **_PARTS[part](arguments)}
        report = json.loads(_RESULTS.read_text(encoding="utf-8")) if _RESULTS.exists() else {}
        name = f"{part}_quick" if arguments.quick else part
        if arguments.sizes:  # what the other sizes gave stays
            found["sizes"] = report.get(name, {}).get("sizes", {}) | found["sizes"]
        report[name] = found
        _RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(found, indent=1))


def measure_indexing(arguments: argparse.Namespace) -> dict[str, Any]:
    """Passages a second from text to a searchable index in memory; the settings take turns."""
    from benchmarks._retrieval_peers import Haystack, Txtai

    count, rounds = (64, 2) if arguments.quick else (256, 3)
    passages = read_passages(arguments.data)[:count]
    minilm, ensemble = _embedder("minilm"), _embedder("ensemble")
    haystack, txtai = Haystack(bundled_model_path()), Txtai(bundled_model_path())
    ways = {
        "ours_minilm": lambda texts: _index(texts, minilm),
        "ours_ensemble": lambda texts: _index(texts, ensemble),
        "haystack": haystack.index,
        "txtai": txtai.index,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cores: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(passages[:8])
    for _ in range(rounds):
        for name, way in ways.items():
            started, spent = time.perf_counter(), time.process_time()
            way(passages)
            seconds[name].append(time.perf_counter() - started)
            cores[name].append(time.process_time() - spent)
    speed = {name: round(count / median(taken), 1) for name, taken in seconds.items()}
    ratios = {
        f"{ours}_to_{peer}": round(median(t / o for t, o in zip(seconds[peer], seconds[ours], strict=True)), 2)
        for ours in ("ours_minilm", "ours_ensemble")
        for peer in ("haystack", "txtai")
    }
    return {
        "passages": count,
        "words_per_passage": round(float(np.mean([len(text.split()) for text in passages]))),
        "passages_per_second": speed,
        "passages_per_cpu_second": {name: round(count / median(taken), 1) for name, taken in cores.items()},
        "seconds": seconds,
        "ratios": ratios,
        "recall_at_5": _recall_loss(arguments, minilm, haystack),
    }


def _recall_loss(arguments: argparse.Namespace, minilm: LoadableEmbedder, haystack: Any) -> dict[str, float]:
    """Questions finding their answers by cosine: with our vectors, and with those of Haystack in 32 bits."""
    count = 150 if arguments.quick else 600
    rows = list(read_rows(arguments.data / "faq" / "medquad.jsonl.zst"))
    rows = rows[:: len(rows) // count][:count]
    answers = [" ".join(row["answer"].split()[:60]) for row in rows]
    questions = [row["question"] for row in rows]

    def recall(asked: Vectors, told: Vectors) -> float:
        own = (asked * told).sum(axis=1, keepdims=True)
        return float(np.mean((asked @ told.T > own).sum(axis=1) < 5))

    return {
        "questions": count,
        "ours": recall(minilm.encode_queries(questions), minilm.encode_documents(answers)),
        "haystack": recall(haystack.index(questions), haystack.index(answers)),
    }


def measure_search(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each size built and searched in processes of its own; txtai where it can be built in reasonable time."""
    sizes = arguments.sizes or ([10_000] if arguments.quick else [10_000, 100_000, 1_000_000])
    found: dict[str, Any] = {"real_vectors": arguments.real, "sizes": {}}
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
            steps = ["build", "serve"]
            for model in ("ensemble", "minilm") if size <= 100_000 else ("ensemble",):
                row = {"machine": _machine()}
                row |= {step: _step(arguments, step, size, model, folder) for step in steps}
                found["sizes"].setdefault(str(size), {})[model] = row
                print(size, model, row, flush=True)
            if size <= 100_000 and not arguments.without_peers:
                txtai = _step(arguments, "txtai", size, "minilm", folder)
                found["sizes"][str(size)]["txtai"] = txtai
                ours = found["sizes"][str(size)]["minilm"]["serve"]["p50_ms"]
                found["sizes"][str(size)]["ours_to_txtai_p50"] = round(ours / txtai["p50_ms"], 3)
                print(size, "txtai", txtai, flush=True)
    return found


def measure_index_choices(arguments: argparse.Namespace) -> dict[str, Any]:
    from benchmarks._retrieval_index import compare_indexes

    count = 20_000 if arguments.quick else 100_000
    embedder = _embedder("ensemble")
    real = _real(arguments)[:count]
    queries = embedder.encode_queries(read_questions(arguments.data, 100))
    points = compare_indexes(real, count, queries)
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        lines.setdefault(point["index"], []).append((point["p50_ms"], point["recall_at_10"]))
    title = f"{count:,} passages, {embedder.dimension} dimensions, {len(real):,} of the vectors real"
    plot_lines(_PLOT, title, "milliseconds of one core a query (median)", "recall@10 against exact search", lines)
    return {"passages": count, "points": points}


def build(arguments: argparse.Namespace) -> dict[str, Any]:
    """A generation folder, as the nightly re-index builds it from stored vectors."""
    embedder = _embedder(arguments.model)
    real = _real(arguments)
    terms = extract_terms(read_passages(arguments.data)[: min(_TEXTS, arguments.size)])
    started = time.perf_counter()
    folder = Path(arguments.folder) / "waiting"
    folder.mkdir(exist_ok=True)
    builder = SegmentBuilder(folder, embedder.dimension)
    for block in jittered(_of_model(real, arguments.model), arguments.size):
        for start in range(0, len(block), _BATCH):
            first = len(builder)
            builder.add(
                [
                    IndexEntry(f"{number:064x}", "docs", tuple(terms[number % len(terms)]), vector, None)
                    for number, vector in enumerate(block[start : start + _BATCH], first)
                ]
            )
    added = time.perf_counter()
    segment = builder.build()
    artifacts = ArtifactStore(Path(arguments.folder))
    with artifacts.stage(f"gen-{arguments.model}") as staging:
        write_segment(segment, staging.path)
        staging.facts = describe(segment, embedder, 1)
    (Path(arguments.folder) / f"{arguments.model}.sha256").write_text(staging.manifest_sha256)
    published = Path(arguments.folder) / f"gen-{arguments.model}"
    return {
        "collect_seconds": round(added - started, 1),
        "build_seconds": round(time.perf_counter() - added, 1),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "folder_mb": sum(path.stat().st_size for path in published.iterdir()) // 2**20,
    }


def serve(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start from disk, then search as a customer does: correct, embed, search both halves, fuse."""
    began = time.perf_counter()
    embedder = _embedder(arguments.model)
    loaded = time.perf_counter()
    manifest = (Path(arguments.folder) / f"{arguments.model}.sha256").read_text()
    segment = open_segment(ArtifactStore(Path(arguments.folder)), f"gen-{arguments.model}", manifest, embedder)
    snapshot = Snapshot(revision=1, dimension=embedder.dimension, base=LiveSegment.of(segment))
    corrector = QueryCorrector(embedder)
    corrector.load()
    segment.spelling.nearest("warmm")
    opened = time.perf_counter()

    def ask(question: str) -> float:
        started = time.perf_counter()
        text = corrector.correct(question, snapshot)
        vector = embedder.encode_queries([text])[0]
        hits = snapshot.search(
            Query(vector, extract_terms([text])[0], None), _SETTINGS.candidates, _SETTINGS.dense_weight
        )
        assert hits
        return time.perf_counter() - started

    questions = read_questions(arguments.data, 200)
    for question in questions[:10]:
        ask(question)
    spent = time.process_time()
    alone = [ask(question) for question in questions]
    spent = (time.process_time() - spent) / len(questions)
    together = _customers(ask, questions)
    rss = _resident_mb()  # before the exact search below, which is no part of serving
    real = _of_model(_real(arguments), arguments.model)
    return {
        "index": DenseIndex.explain(segment.dense.rows),
        "load_models_seconds": round(loaded - began, 2),
        "open_seconds": round(opened - loaded, 2),
        "p50_ms": round(median(alone) * 1000, 2),
        "p95_ms": round(float(np.quantile(alone, 0.95)) * 1000, 2),
        "cpu_ms": round(spent * 1000, 2),  # what a busy machine cannot stretch
        **together,
        "resident_mb": rss,
        **_recall(segment, embedder, questions, real, arguments.size),
    }


def _customers(ask: Any, questions: Sequence[str]) -> dict[str, float]:
    """Questions a second of one customer and of twenty at once, in turns; the ratio is the median of three."""
    rates: dict[int, list[float]] = {1: [], _CUSTOMERS: []}
    for _ in range(3):
        for customers, found in rates.items():
            with ThreadPoolExecutor(customers) as pool:
                started = time.perf_counter()
                times = list(pool.map(ask, questions))
                found.append(len(times) / (time.perf_counter() - started))
    ratios = [many / one for one, many in zip(rates[1], rates[_CUSTOMERS], strict=True)]
    return {
        "per_second_alone": round(median(rates[1]), 1),
        "per_second_of_20": round(median(rates[_CUSTOMERS]), 1),
        "throughput_ratio": round(median(ratios), 2),
    }


def _recall(
    segment: Segment, embedder: LoadableEmbedder, questions: Sequence[str], real: Vectors, size: int
) -> dict[str, float]:
    queries = embedder.encode_queries(questions)
    exact = exact_best(real, size, queries, 10)
    found = [segment.dense.search(query, 10) for query in queries]
    shared = [len(set(ours.tolist()) & set(best.tolist())) for ours, best in zip(found, exact, strict=True)]
    times = []
    for query in queries:
        started = time.perf_counter()
        segment.dense.search(query, 100)
        times.append(time.perf_counter() - started)
    return {"recall_at_10": sum(shared) / (10 * len(queries)), "dense_p50_ms": round(median(times) * 1000, 2)}


def txtai(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same passages, MiniLM vectors and questions in txtai."""
    from benchmarks._retrieval_peers import Txtai

    real = _of_model(_real(arguments), "minilm")
    passages = read_passages(arguments.data)[: min(_TEXTS, arguments.size)]
    texts = (passages[number % len(passages)] for number in range(arguments.size))
    started = time.perf_counter()
    embeddings = Txtai(bundled_model_path()).over_vectors(texts, jittered(real, arguments.size))
    seconds = time.perf_counter() - started
    questions = read_questions(arguments.data, 200)

    def ask(question: str) -> float:
        begun = time.perf_counter()
        assert embeddings.search(question, 5)
        return time.perf_counter() - begun

    for question in questions[:10]:
        ask(question)
    spent = time.process_time()
    alone = [ask(question) for question in questions]
    spent = (time.process_time() - spent) / len(questions)
    return {
        "build_seconds": round(seconds, 1),
        "cpu_ms": round(spent * 1000, 2),
        "p50_ms": round(median(alone) * 1000, 2),
        "p95_ms": round(float(np.quantile(alone, 0.95)) * 1000, 2),
        "resident_mb": _resident_mb(),
    }


def _index(passages: Sequence[str], embedder: LoadableEmbedder) -> Segment:
    vectors = embedder.encode_documents(passages)
    entries = [
        IndexEntry(f"{place:064x}", "docs", tuple(terms), vector, None)
        for place, (terms, vector) in enumerate(zip(extract_terms(passages), vectors, strict=True))
    ]
    return Segment.build(entries, embedder.dimension)


def _embedder(model: str) -> EnsembleEmbedder:
    embedder = _make_embedder(model)
    embedder.load()
    return embedder


def _make_embedder(model: str) -> EnsembleEmbedder:
    weight = _SETTINGS.universal_weight
    minilm = Member(MiniLMEmbedder(), 1.0 if model == "minilm" else 1.0 - weight)
    return EnsembleEmbedder([minilm] if model == "minilm" else [minilm, Member(UniversalEmbedder(), weight)])


def _real(arguments: argparse.Namespace) -> Vectors:
    """Vectors of the ensemble; kept beside the work files, because embedding takes longer than all the rest."""
    return real_vectors(arguments.data, _make_embedder("ensemble"), arguments.real, Path(arguments.work))


def _of_model(real: Vectors, model: str) -> Vectors:
    """The ensemble's first member's part, if that is asked for."""
    if model == "ensemble":
        return real
    part = real[:, : MiniLMEmbedder().dimension]
    return np.asarray(part / np.linalg.norm(part, axis=1, keepdims=True), dtype=np.float32)


def _step(arguments: argparse.Namespace, step: str, size: int, model: str, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.retrieval_speed", "--step", step, "--model", model]
    command += ["--size", str(size), "--folder", folder, "--data", str(arguments.data), "--work", arguments.work]
    command += ["--real", str(arguments.real)]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def _machine() -> dict[str, Any]:
    load = [round(value, 1) for value in os.getloadavg()]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"cores": os.cpu_count(), "python": platform.python_version(), "load": load, "measured_at": when}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data")
    parser.add_argument("--work", default=tempfile.gettempdir(), help="folder for gigabytes of work files")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", choices=_PARTS)
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--real", type=int, default=40_000, help="passages that are really embedded")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--step", choices=_STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--model", default="ensemble", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.real = min(arguments.real, 2_000)
    return arguments


_PARTS = {"indexing": measure_indexing, "search": measure_search, "index": measure_index_choices}
_STEPS = {"build": build, "serve": serve, "txtai": txtai}

if __name__ == "__main__":
    main()
