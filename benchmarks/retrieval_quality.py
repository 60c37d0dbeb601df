"""What is found, against what Haystack and txtai find, on the same passages budget: five of at most 200 words.

    python -m benchmarks.retrieval_quality [--set NAME] [--no-peers]

Our figures come from the product: documents are ingested by the command line, questions go through the retriever with
all it does, follow-ups with their history. The peers are given the text that was read out of the same documents, cut
into 200 words, and, to tell splitting and ranking apart, our own passages too. A hit: 80 % of the gold text's word
3-grams stand in the first five passages (golden questions: a quote does). Intervals are of a bootstrap, comparisons
paired, with whole documents drawn. Writes benchmarks/results/retrieval_quality.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.bootstrap import Services
from api.settings import Settings
from benchmarks._knowledge_base import ROOT, build_knowledge_base, commit, open_product
from benchmarks._retrieval_rankers import cut, rankers
from benchmarks._retrieval_sets import Question, RetrievalSet, read_sets
from domain.documents import ScoredPassage
from generator.condense import condense
from generator.metrics import bootstrap, compare
from generator.search_plan import interleave, plan_searches
from retriever.embedder import bundled_model_path

_K = 5
_COLLECTION = "benchmark"
_MAX_CHARS = 4000
_RESULT = ROOT / "benchmarks/results/retrieval_quality.json"

Found = Sequence[tuple[str, str]]  # (source, text) of the first five passages
Ask = Callable[[Question], Found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--set", dest="only", help="measure only the sets whose name contains this")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--work-dir", type=Path, default=ROOT / "data" / "benchmarks", help="for knowledge bases")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "commit": commit(),
        "sets": {},
    }
    for one in read_sets(options.data):
        if options.only is None or options.only in one.name:
            result["sets"][one.name] = _measure(one, options.work_dir, options.peers)
            _print(one.name, result["sets"][one.name])
    if options.only is None and options.peers:
        _RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"Written to {_RESULT.relative_to(ROOT)}")


def _measure(one: RetrievalSet, work_dir: Path, with_peers: bool) -> dict[str, Any]:
    settings = Settings()
    folder = build_knowledge_base(one.files, _COLLECTION, work_dir, settings)
    with open_product(settings, folder) as services:
        systems: dict[str, Ask] = {"Answerdesk": _product(services)}
        if any(question.history for question in one.questions):
            systems["Answerdesk, history ignored"] = _without_history(services)
        if with_peers:
            systems |= _peers(services)
        found = {name: [ask(question) for question in one.questions] for name, ask in systems.items()}
        passages = services.documents.count_passages()
    return {
        "documents": len(one.files),
        "passages": passages,
        "questions": len(one.questions),
        "systems": {name: _figures(one.questions, answers) for name, answers in found.items()},
        "against": {
            name: _compared(one.questions, found["Answerdesk"], answers)
            for name, answers in found.items()
            if name != "Answerdesk"
        },
    }


def _product(services: Services) -> Ask:
    def ask(question: Question) -> Found:
        planned = plan_searches(question.text, question.history, _MAX_CHARS)
        hits = interleave([plan.run(services.retriever, _K, _COLLECTION).passages for plan in planned])
        return _named(hits[:_K])

    return ask


def _without_history(services: Services) -> Ask:
    return lambda question: _named(services.retriever.search(question.text, _K, _COLLECTION).passages)


def _named(hits: Iterable[ScoredPassage]) -> Found:
    return [(hit.stored.source, hit.passage.text) for hit in hits]


def _peers(services: Services) -> Mapping[str, Ask]:
    """Each over its own pieces of 200 words, and over our passages under their headings."""
    stored = [passage for batch in services.documents.iterate_passages(500) for passage in batch]
    ours = [(one.source, one.passage.text, one.passage.search_text) for one in stored]
    cuts: list[tuple[str, str, str]] = []
    for document in services.documents.list_documents(collection=_COLLECTION, limit=10_000):
        version = services.documents.version(document.document_id)
        cuts.extend((document.source, piece, piece) for piece in cut(document.title, version.text))
    asked: dict[str, Ask] = {}
    for suffix, pieces in (("", cuts), (", our passages", ours)):
        ranked = rankers(bundled_model_path(), [searched for _, _, searched in pieces])
        asked |= {f"{name}{suffix}": _peer(rank, pieces) for name, rank in ranked.items()}
    return asked


def _peer(rank: Callable[[str, int], Sequence[int]], pieces: Sequence[tuple[str, str, str]]) -> Ask:
    """A peer has no way with histories: it gets the question together with what it follows, as we put it."""

    def ask(question: Question) -> Found:
        return [pieces[place][:2] for place in rank(condense(question.text, question.history), _K)]

    return ask


def _hits(questions: Sequence[Question], answers: Sequence[Found]) -> list[float]:
    return [
        float(question.is_found([text for _, text in found]))
        for question, found in zip(questions, answers, strict=True)
    ]


def _figures(questions: Sequence[Question], answers: Sequence[Found]) -> dict[str, Any]:
    hits = _hits(questions, answers)
    named = [
        float(any(source in question.sources for source, _ in found))
        for question, found in zip(questions, answers, strict=True)
    ]
    held_out = [hit for hit, question in zip(hits, questions, strict=True) if question.is_held_out]
    return {
        "recall": asdict(bootstrap(hits)),
        "document_recall": asdict(bootstrap(named)),
        "recall_held_out": asdict(bootstrap(held_out)),
    }


def _compared(questions: Sequence[Question], ours: Sequence[Found], theirs: Sequence[Found]) -> dict[str, Any]:
    groups = [question.group for question in questions]
    return asdict(compare(_hits(questions, ours), _hits(questions, theirs), groups).difference)


def _print(name: str, found: Mapping[str, Any]) -> None:
    print(f"\n{name}: {found['questions']} questions, {found['documents']} documents, {found['passages']} passages")
    for system, figures in found["systems"].items():
        columns = [f"{key} {figures[key]['mean']:.3f}" for key in ("recall", "document_recall", "recall_held_out")]
        interval = f"({figures['recall']['low']:.3f} to {figures['recall']['high']:.3f})"
        print(f"  {system:38} {columns[0]} {interval}  {'  '.join(columns[1:])}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
