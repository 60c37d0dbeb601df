"""Whether a follow-up question is understood: does it find the rewrite that a person made of it, among all rewrites?

    python -m benchmarks.retrieval_follow_ups [--data ../shared/data]

CANARD: questions of 150 conversations from the second one on, each with its history and a rewrite that stands alone.
The rewrites are the passages, through the product's own index and fusion; those of the same conversation are the hard
ones. Four ways to ask: the history ignored, the question condensed with what it follows, the question in its context
(the product), and the rewrite itself, the ceiling. Doc2Dial's follow-ups are in `benchmarks.retrieval_quality`.
Writes benchmarks/results/retrieval_follow_ups.json.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from api.bootstrap import build_services
from api.settings import Settings
from benchmarks._knowledge_base import ROOT, commit
from domain.chat import ChatMessage, Role
from domain.protocols import Embedder, SearchContext
from generator.condense import condense
from generator.metrics import bootstrap, compare
from generator.search_plan import plan_searches
from generator.train.sources import read_rows
from retriever.asking import Asked
from retriever.segment import IndexEntry
from retriever.snapshot import Snapshot
from retriever.terms import extract_terms

_K = 5
_CONVERSATIONS = 150
_SEED = 5
_MAX_CHARS = 4000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    rows = _rows(parser.parse_args().data)
    settings = Settings()
    services = build_services(settings)
    services.embedder.load()
    rewrites = [row["Rewrite"] for row in rows]
    snapshot = _index(rewrites, services.embedder)
    asked = {
        "history ignored": [(row["Question"], None) for row in rows],
        "condensed": [(condense(row["Question"], _history(row)), None) for row in rows],
        "in its context": [_planned(row) for row in rows],
        "the rewrite": [(rewrite, None) for rewrite in rewrites],
    }
    weight = settings.retriever.dense_weight
    hits = {
        name: [
            _found(snapshot, services.embedder, weight, text, context, rewrite, rewrites)
            for (text, context), rewrite in zip(pairs, rewrites, strict=True)
        ]
        for name, pairs in asked.items()
    }
    groups = [row["QuAC_dialog_id"] for row in rows]
    result = {
        "commit": commit(),
        "questions": len(rows),
        "recall": {name: asdict(bootstrap(values)) for name, values in hits.items()},
        "gain": asdict(compare(hits["in its context"], hits["history ignored"], groups).difference),
    }
    path = ROOT / "benchmarks/results/retrieval_follow_ups.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, figure in result["recall"].items():
        print(f"{name:16} recall@5 {figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})")
    services.close()


def _rows(data: Path) -> list[Mapping[str, Any]]:
    rows = [r for r in read_rows(data / "grounded_qa/canard_rewrites.jsonl.zst") if int(r["Question_no"]) > 1]
    conversations = sorted({row["QuAC_dialog_id"] for row in rows})
    chosen = set(random.Random(_SEED).sample(conversations, _CONVERSATIONS))
    return [row for row in rows if row["QuAC_dialog_id"] in chosen]


def _history(row: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
    """Title and section stand first; they were not said."""
    said = row["History"][2:]
    return tuple(ChatMessage((Role.USER, Role.ASSISTANT)[n % 2], text) for n, text in enumerate(said))


def _planned(row: Mapping[str, Any]) -> tuple[str, SearchContext | None]:
    plan = plan_searches(row["Question"], _history(row), _MAX_CHARS)[0]
    return plan.part, plan.context


def _index(rewrites: Sequence[str], embedder: Embedder) -> Snapshot:
    names = [f"{n:06}" for n in range(len(rewrites))]
    vectors, terms = embedder.encode_documents(rewrites), extract_terms(rewrites)
    entries = [IndexEntry(*row, None) for row in zip(names, names, map(tuple, terms), vectors, strict=True)]
    return Snapshot(0, embedder.dimension).advance(1, entries, ())


def _found(
    snapshot: Snapshot,
    embedder: Embedder,
    dense_weight: float,
    text: str,
    context: SearchContext | None,
    rewrite: str,
    rewrites: Sequence[str],
) -> float:
    asked = Asked(text, None, context)
    hits = snapshot.search(asked.query(asked.encode(embedder)), candidates=50, dense_weight=dense_weight)[:_K]
    return float(any(rewrites[int(hit.passage_id)] == rewrite for hit in hits))


if __name__ == "__main__":
    main()
