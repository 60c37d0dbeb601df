"""Recall within and across languages: each embedder alone, both fused by fixed shares, and fused by language.

    python -m benchmarks.retrieval_languages [--data ../shared/data]

Through the product's own windows, segments, BM25 and fusion. Also: how many
English questions are taken for another language. Writes benchmarks/results/retrieval_languages.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._language_sets import LanguageSet, read_sets
from domain.language import ENGLISH, language_of
from domain.protocols import Vectors
from domain.windows import encode_windows
from generator.metrics import bootstrap, compare
from generator.train.sources import read_rows
from retriever.embedder import MiniLMEmbedder
from retriever.ensemble import EnsembleEmbedder, LoadableEmbedder, Member, are_abroad
from retriever.segment import IndexEntry
from retriever.settings import RetrieverSettings
from retriever.snapshot import Query, Snapshot
from retriever.terms import extract_terms
from retriever.universal import UniversalEmbedder

_ROOT = Path(__file__).resolve().parent.parent
_K = 5


class RememberingMember:
    """Encodes each text once, whichever ensemble asks."""

    def __init__(self, embedder: LoadableEmbedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension

    def load(self) -> None:
        self._embedder.load()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encode_documents(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, self._embedder.encode_documents(missing), strict=True))
        return np.stack([self._known[text] for text in texts])


class FixedShares(EnsembleEmbedder):
    """The ensemble as it was before it looked at a query's language."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encode_documents(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data")
    data = parser.parse_args().data
    systems = _systems(RetrieverSettings())
    result: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "taken_for_another_language": _misrouted(data),
        "sets": {},
    }
    print(json.dumps(result["taken_for_another_language"]))
    for one in read_sets(data):
        result["sets"][one.name] = _measure(one, systems)
        _print_row(one.name, result["sets"][one.name])
    path = _ROOT / "benchmarks" / "results" / "retrieval_languages.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"Written to {path.relative_to(_ROOT)}")


def _systems(settings: RetrieverSettings) -> Mapping[str, EnsembleEmbedder]:
    minilm, universal = RememberingMember(MiniLMEmbedder()), RememberingMember(UniversalEmbedder())
    both = [Member(minilm, 1 - settings.universal_weight), Member(universal, settings.universal_weight)]
    systems: dict[str, EnsembleEmbedder] = {
        "minilm": EnsembleEmbedder([Member(minilm, 1.0)]),
        "multilingual": EnsembleEmbedder([Member(universal, 1.0)]),
        "fixed": FixedShares(both),
        "by_language": EnsembleEmbedder(both),
    }
    systems["by_language"].load()
    return systems


def _measure(one: LanguageSet, systems: Mapping[str, EnsembleEmbedder]) -> dict[str, Any]:
    """Recall of each system by meaning and words as the product fuses them, and by meaning alone."""
    weights = {"fused": RetrieverSettings().dense_weight, "meaning_only": 1.0}
    found: dict[str, Any] = {"passages": len(one.passages), "questions": len(one.questions)}
    for mode, dense_weight in weights.items():
        hits = {name: _hits(one, embedder, dense_weight, name == "by_language") for name, embedder in systems.items()}
        each = [str(n) for n in range(len(one.questions))]
        found[mode] = {name: asdict(bootstrap(values)) for name, values in hits.items()}
        found[mode]["by_language_against_fixed"] = asdict(compare(hits["by_language"], hits["fixed"], each).difference)
    return found


def _hits(one: LanguageSet, embedder: EnsembleEmbedder, dense_weight: float, by_language: bool) -> list[float]:
    """1.0 for each question with an answering passage among the first five."""
    names = [f"{n:06}" for n in range(len(one.passages))]
    vectors = encode_windows(embedder, one.windows())
    terms = extract_terms(one.passages)
    entries = [IndexEntry(*row, None) for row in zip(names, names, map(tuple, terms), vectors, strict=True)]
    snapshot = Snapshot(0, embedder.dimension).advance(1, entries, ())
    candidates = RetrieverSettings().candidates

    def search(vector: NDArray[np.float32], question: str) -> list[int]:
        query = Query(vector, extract_terms([question])[0], None)
        return [int(hit.passage_id) for hit in snapshot.search(query, candidates, dense_weight)[:_K]]

    hits = []
    for question, vector, answers in zip(
        one.questions, embedder.encode_queries(one.questions), one.answers, strict=True
    ):
        ranked = search(vector, question)
        found = [one.passages[place] for place in ranked]
        if by_language and are_abroad(found) and not _is_foreign(question):  # as ``Retriever.search`` does
            ranked = search(embedder.encode_queries_abroad([question])[0], question)
        hits.append(float(bool(answers & set(ranked))))
    return hits


def _misrouted(data: Path) -> dict[str, Any]:
    """English questions that are not taken for English, by set."""
    golden = (_ROOT / "tests" / "golden" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    with (data / "intents" / "banking77_train.csv").open(encoding="utf-8") as file:
        banking = [row["text"] for row in csv.DictReader(file)]
    sets = {
        "golden": [json.loads(line)["question"] for line in golden],
        "banking77": banking,
        "clinc150": [row["text"] for row in read_rows(data / "intents/clinc150_train_val.jsonl.zst")],
    }
    return {
        name: {"questions": len(texts), "share": sum(map(_is_foreign, texts)) / len(texts)}
        for name, texts in sets.items()
    }


def _is_foreign(text: str) -> bool:
    return language_of(text) not in (None, ENGLISH)


def _print_row(name: str, found: Mapping[str, Any]) -> None:
    for mode in ("fused", "meaning_only"):
        figures = found[mode]
        columns = "  ".join(
            f"{system} {figures[system]['mean']:.3f} ({figures[system]['low']:.3f}-{figures[system]['high']:.3f})"
            for system in ("minilm", "multilingual", "fixed", "by_language")
        )
        print(f"{name:20} {mode:12} {columns}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
