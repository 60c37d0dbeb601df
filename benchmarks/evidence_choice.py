"""Which sentences are chosen as evidence, and whether a question without an answer is told from one with it.

    python -m benchmarks.evidence_choice [--limit 300]

Every question is searched for by the product; then several ways to judge the sentences that were found are compared on
the same passages. Sets: the visible golden questions, two companies of near misses, the companies of
`examples/companies` that the reader never saw, those of them with tables apart, and Doc2Dial's turns on the documents
that it was not trained on and that are not held out either (`benchmarks.answer_quality` asks about those).

- right: of the answerable questions, those whose best sentence is gold, or holds or is held by the gold text
- F1: token F1 of the best snippet with the gold text, nothing refused
- AUC: how often an answerable question is above one that is not, by its best sentence alone
- refused: of the unanswerable questions, at the score from which 90 % of the answerable ones are answered

Writes benchmarks/results/evidence_choice.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.bootstrap import Services
from api.settings import load_settings
from benchmarks._companies import collection_of, company_files, company_queries
from benchmarks._doc2dial import COLLECTION, file_name, read_documents, read_turns, sample
from benchmarks._knowledge_base import ROOT, build_collections, commit, open_product, search_once
from domain.protocols import SearchResult
from generator.evaluation import GoldenQuery, load_queries
from generator.evidence import (
    Candidate,
    ScoredSentence,
    candidate_cosines,
    candidates,
    choose_snippets,
    judge,
    read_candidates,
)
from generator.metrics import quote_is_right, token_f1
from generator.search_plan import PlannedSearch
from generator.train.companies import read_companies
from generator.train.reading import is_measuring_document, side_of

_WORDS = 150
_ANSWERED = 0.9
_SEED = 7


@dataclass(frozen=True, slots=True)
class QuestionSet:
    name: str
    collections: Mapping[str, Mapping[str, str | Path]]
    queries: Sequence[GoldenQuery]


@dataclass(frozen=True, slots=True)
class Judged:
    """One question with what every way of judging needs: arrays are (n_sentences,)."""

    query: GoldenQuery
    planned: PlannedSearch
    result: SearchResult
    found: Sequence[Candidate]
    read: NDArray[np.float32]
    cosines: NDArray[np.float32]


Scores = Callable[[Judged], Sequence[ScoredSentence]]


def question_sets(data: Path, limit: int) -> Iterator[QuestionSet]:
    shop = {path.name: path for path in sorted((ROOT / "examples/shop").iterdir())}
    yield QuestionSet("shop", {"shop": shop}, load_queries(ROOT / "tests/golden/queries.jsonl"))
    near = ROOT / "tests/golden/near_misses"
    pages = {folder.name: {p.name: p for p in sorted(folder.iterdir())} for folder in near.iterdir() if folder.is_dir()}
    yield QuestionSet("near misses", pages, load_queries(near / "queries.jsonl"))
    unseen = [one for one in read_companies(ROOT / "examples/companies") if side_of(one) == "validation"]
    for name, has_tables in (("companies", False), ("with tables", True)):
        some = [one for one in unseen if any(sentence.columns for sentence in one.sentences) is has_tables]
        asked = [query for one in some for query in company_queries(one)]
        files = {collection_of(one): company_files(one) for one in some}
        yield QuestionSet(name, files, random.Random(_SEED).sample(asked, min(int(1.4 * limit), len(asked))))
    documents = {file_name(doc_id): text for doc_id, text in read_documents(data).items()}
    turns = sample([turn for turn in read_turns(data, "fit") if is_measuring_document(turn.document)], limit)
    yield QuestionSet("doc2dial", {COLLECTION: documents}, [turn.query for turn in turns])


def ask(asked: QuestionSet, services: Services) -> Iterator[Judged]:
    """The questions that one search was made for; a message of two questions has no evidence of its own."""
    reader = services.usable_reader
    assert reader is not None, "the reader has to be there to be measured"
    for query in track(asked.queries, asked.name):
        searched = search_once(services, query)
        found = candidates(searched[1]) if searched else []
        if searched and found:
            read = read_candidates(*searched, reader)
            yield Judged(query, *searched, found, read, candidate_cosines(searched[1], found, services.embedder))


def figures(judged: Sequence[Judged], scores: Scores) -> dict[str, float]:
    right, f1, odds = [], [], []
    for one in judged:
        ranked = scores(one)
        odds.append(ranked[0].log_odds)
        if one.query.answerable:
            snippet = choose_snippets(ranked, _WORDS)
            right.append(any(quote_is_right(ranked[0].text, piece.quote) for piece in one.query.evidence))
            f1.append(token_f1(" ".join(s.text for s in snippet[0].to_say), one.query.gold_text) if snippet else 0.0)
    answerable = np.array([one.query.answerable for one in judged])
    above, below = np.array(odds)[answerable], np.array(odds)[~answerable]
    known = {"right": float(np.mean(right)), "f1": float(np.mean(f1))}
    if below.size:
        known["auc"] = float((above[:, None] > below[None, :]).mean())
        known["refused"] = float((below < np.quantile(above, 1 - _ANSWERED)).mean())
    return known


def ranked_by(values: Callable[[Judged], Sequence[float]]) -> Scores:
    def scores(one: Judged) -> Sequence[ScoredSentence]:
        scored = [c.scored(float(value)) for c, value in zip(one.found, values(one), strict=True)]
        return sorted(scored, key=lambda sentence: -sentence.log_odds)

    return scores


def with_reader(weight: float) -> Scores:
    return lambda one: judge(one.planned, one.found, one.cosines, one.read, weight).sentences


WAYS: Mapping[str, Scores] = {
    "cosine alone": ranked_by(lambda one: list(map(float, 10.0 * one.cosines - 5.0))),
    "words and vectors": lambda one: judge(one.planned, one.found, one.cosines).sentences,
    "reader alone": ranked_by(lambda one: list(map(float, one.read))),
    "both, reader 0.3": with_reader(0.3),
    "both, reader 0.5 (shipped)": with_reader(0.5),
    "both, reader 1.0": with_reader(1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--limit", type=int, default=300, help="questions of a set, twice as many of the companies")
    parser.add_argument("--work-dir", type=Path, default=ROOT / "runs" / "evidence_choice")
    options = parser.parse_args()
    settings = load_settings()
    table = Table("set", "questions", "judged by", "right", "F1", "AUC", "refused")
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for asked in question_sets(options.data, options.limit):
        data_dir = build_collections(asked.collections, options.work_dir, settings)
        with open_product(settings, data_dir) as services:
            judged = list(ask(asked, services))
        rows[asked.name] = {name: figures(judged, scores) for name, scores in WAYS.items()}
        for name, found in rows[asked.name].items():
            shown = [f"{found[key]:.3f}" if key in found else "" for key in ("right", "f1", "auc", "refused")]
            table.add_row(asked.name, str(len(judged)), name, *shown)
    Console(width=110).print(table)
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "commit": commit(),
        "limit": options.limit,
        "sets": rows,
    }
    path = ROOT / "benchmarks" / "results" / "evidence_choice.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"Written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
