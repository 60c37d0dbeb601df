"""Labelled questions to fit calibrated refusal on, asked with their documents and without.

    python -m benchmarks.refusal_questions --companies --limit 40 runs/refusal/reading.jsonl
    python -m generator.train.refusal --features read,read_next,margin,declined \\
        --answered 0.9 --without 0.33 \\
        generator/models/answerdesk-refusal-reading runs/refusal/reading.jsonl

fits the calibration that goes with the reader, on companies that it never saw, a third of whose questions are near
misses. The one of other languages rests on six public sets, without the reader:

    ANSWERDESK_RETRIEVER__READER=false python -m benchmarks.refusal_questions runs/refusal/questions.jsonl
    python -m generator.train.refusal generator/models/answerdesk-refusal runs/refusal/questions.jsonl

Each line has the confidence features of one search, and whether a found passage holds the answer. Without its document
means that the document's passages are taken out of what was found and the next ones move up. Doc2Dial's held-out
documents are not asked about, and neither are the sample shop and the companies of `tests/golden/near_misses`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from rich.progress import track

from api.bootstrap import Services
from api.settings import load_settings
from benchmarks._companies import collection_of, company_files, company_queries
from benchmarks._knowledge_base import ROOT, build_knowledge_base, open_product
from benchmarks._retrieval_sets import Question, RetrievalSet, read_sets
from domain.protocols import Embedder, SearchResult
from domain.text import sentence_spans
from generator.composition import Composition
from generator.confidence import WordVectors, assess
from generator.evidence import choose_snippets, score_sentences
from generator.refusal import SHIPPED_CALIBRATION, RefusalModel
from generator.search_plan import PlannedSearch, plan_searches
from generator.train.companies import read_companies
from generator.train.reading import side_of
from generator.train.sources import read_rows
from retriever.remembering import RememberingEmbedder

_SEED = 19
_DEEPER = 30  # passages that are searched for, so that enough are left when a document's are taken out
_SQUAD_TITLES = 35


def main() -> None:
    options = _parse()
    settings = load_settings()
    options.file.parent.mkdir(parents=True, exist_ok=True)
    with options.file.open("w", encoding="utf-8") as lines:
        sets = _companies(options.limit) if options.companies else _sets(options.data, options.limit)
        for asked in sets:
            data_dir = build_knowledge_base(asked.files, asked.name, options.work_dir, settings)
            with open_product(settings, data_dir) as services:
                examiner = _Examiner(services)
                for question in track(asked.questions, asked.name):
                    for row in examiner.ask(question):
                        lines.write(json.dumps({"set": asked.name, **row}) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="where the labelled questions go, a JSON object a line")
    parser.add_argument("--companies", action="store_true", help="ask the companies that the reader never saw")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--limit", type=int, default=150, help="questions of a set")
    parser.add_argument("--work-dir", type=Path, default=ROOT / "runs" / "refusal")
    return parser.parse_args()


def _sets(data: Path, limit: int) -> Iterator[RetrievalSet]:
    rng = random.Random(_SEED)
    for known in (*read_sets(data), _squad(data)):
        if known.name != "golden":
            asked = [question for question in known.questions if known.name[:3] != "doc" or not question.is_held_out]
            yield replace(known, questions=tuple(rng.sample(asked, min(limit, len(asked)))))


def _companies(limit: int) -> Iterator[RetrievalSet]:
    """Those that the reader never saw, each by itself; a third of their questions are near misses."""
    rng = random.Random(_SEED)
    for company in read_companies(ROOT / "examples" / "companies"):
        if side_of(company) == "validation":
            questions = [
                Question(
                    query.question,
                    query.history,
                    tuple(piece.quote for piece in query.evidence),
                    frozenset(piece.source for piece in query.evidence),
                    company.name,
                    by_quote=True,
                )
                for query in company_queries(company)
            ]
            yield RetrievalSet(
                collection_of(company), company_files(company), tuple(rng.sample(questions, min(limit, len(questions))))
            )


def _squad(data: Path) -> RetrievalSet:
    """A page for each title; the gold text is the sentence around the answer, or none."""
    pages: dict[str, dict[str, None]] = defaultdict(dict)
    questions: list[Question] = []
    for row in read_rows(data / "grounded_qa/squad2.jsonl.zst"):
        title = str(row["title"]).replace("_", " ").replace("/", "-")
        pages[title][row["passage"]] = None
        around = [
            span.of(row["passage"]) for span in sentence_spans(row["passage"]) if _holds(span.start, span.end, row)
        ]
        source = f"{title}.txt"
        questions.append(Question(row["question"], (), tuple(around[:1]), frozenset([source]), source, by_quote=True))
    kept = sorted(pages)[:_SQUAD_TITLES]
    files = {f"{title}.txt": "\n\n".join([title.upper(), *pages[title]]) for title in kept}
    return RetrievalSet("squad", files, tuple(q for q in questions if q.sources <= files.keys()))


def _holds(start: int, end: int, row: dict[str, object]) -> bool:
    return bool(row["answerable"] and row["answer"]) and start <= int(str(row["answer_start"])) < end


class _Examiner:
    """Searches the whole knowledge base, which holds one set's documents."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._embedder: Embedder = RememberingEmbedder(services.embedder)
        self._words = WordVectors(services.embedder)
        self._refusal = RefusalModel.load(SHIPPED_CALIBRATION)

    def ask(self, question: Question) -> Iterator[dict[str, object]]:
        """The question with its document and without; one that needs several searches has no features of its own."""
        generator = self._services.settings.generator
        planned = plan_searches(question.text, question.history, generator.max_question_chars)
        if len(planned) != 1:
            return
        result = planned[0].run(self._services.retriever, _DEEPER, None)
        others = tuple(hit for hit in result.passages if hit.stored.source not in question.sources)
        asked_twice = ((result.passages, True), (others, False)) if question.gold else ((result.passages, True),)
        for passages, is_there in asked_twice:
            shown = replace(result, passages=passages[: generator.passages])
            found = is_there and bool(question.gold) and question.is_found([h.passage.text for h in shown.passages])
            parts = [self._features(planned[0], shown)]
            yield {"document": question.group, "parts": parts, "gold_found": found, "without": not is_there}

    def _features(self, planned: PlannedSearch, result: SearchResult) -> dict[str, float]:
        found = score_sentences(planned, result, self._embedder, self._services.usable_reader)
        asked = planned.as_searched(result)
        confidence = assess(asked, result.passages, found, self._words, self._refusal)
        generator, model = self._services.settings.generator, self._services.language_model
        snippets = choose_snippets(found.sentences, generator.evidence_words)
        if model is not None and snippets:
            limits = (generator.max_new_tokens, generator.max_sentences)
            declined = Composition(model, planned.as_composed(result), snippets, *limits).declined
            confidence = confidence.with_model(declined, self._refusal)
        return asdict(confidence.features)


if __name__ == "__main__":
    main()
