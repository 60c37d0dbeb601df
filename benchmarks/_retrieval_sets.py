"""Documents with questions, and the text that answers each, from the public benchmark data and the sample shop."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._doc2dial import Turn, file_name, read_documents, read_turns
from domain.chat import ChatMessage
from generator.evaluation import load_queries
from generator.train.sources import read_rows
from retriever.metrics import is_relevant, span_hit

ROOT = Path(__file__).resolve().parent.parent
_SEED = 11
_QUESTIONS = 300
_PAGES = 150
_GOLD_WORDS = 60  # of a long answer its beginning has to be found
_SHORTEST = 8  # words of an answer


@dataclass(frozen=True, slots=True)
class Question:
    """``group`` is drawn whole by the bootstrap. ``sources``: files that answer it; ``is_held_out`` of all fitting."""

    text: str
    history: tuple[ChatMessage, ...]
    gold: tuple[str, ...]
    sources: frozenset[str]
    group: str
    by_quote: bool = False
    is_held_out: bool = True

    def is_found(self, passages: Sequence[str]) -> bool:
        """In these passages together: a quote whole, or else 80 % of the gold text's word 3-grams."""
        if self.by_quote:
            return any(is_relevant(passage, self.gold) for passage in passages)
        return span_hit(" ".join(self.gold), passages)


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    name: str
    files: Mapping[str, str | Path]
    questions: tuple[Question, ...]


def read_sets(data: Path) -> Iterator[RetrievalSet]:
    """Doc2Dial's opening questions and follow-ups, three kinds of FAQ without their questions, the golden ones."""
    documents = {file_name(doc_id): text for doc_id, text in read_documents(data).items()}
    turns = [(turn, held_out) for held_out in (True, False) for turn in read_turns(data, _SIDES[held_out])]
    for kind in ("opening", "follow_up"):
        yield RetrievalSet(f"doc2dial {kind}", documents, tuple(_asked(t, out) for t, out in turns if t.kind == kind))
    yield _pages("tech FAQ", _tech(data))
    yield _pages("health FAQ", _health(data))
    yield _pages("entity FAQ", _entities(data))
    yield _golden()


_SIDES: Mapping[bool, Any] = {True: "held_out", False: "fit"}


def _asked(turn: Turn, is_held_out: bool) -> Question:
    source, query = file_name(turn.document), turn.query
    return Question(
        query.question, query.history, (query.gold_text,), frozenset([source]), source, is_held_out=is_held_out
    )


def _tech(data: Path) -> Iterator[tuple[str, str, str]]:
    for row in read_rows(data / "faq/mined_docs_faq.jsonl.zst"):
        yield row["title"], row["question"], row["answer"]


def _health(data: Path) -> Iterator[tuple[str, str, str]]:
    for row in read_rows(data / "faq/medquad.jsonl.zst"):
        yield row["focus"], row["question"], row["answer"]


def _entities(data: Path) -> Iterator[tuple[str, str, str]]:
    """Every hotel answers the same questions, so the question names its own."""
    for row in read_rows(data / "faq/dstc9_faq.jsonl.zst"):
        if row["entity"]:
            yield row["entity"].title(), f"{row['question']} ({row['entity'].title()})", row["answer"]


def _pages(name: str, entries: Iterable[tuple[str, str, str]]) -> RetrievalSet:
    """A page for each title, with the answers below one another; their questions are what is asked."""
    pages: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for title, question, answer in entries:
        if title and answer and len(answer.split()) >= _SHORTEST:
            pages[" ".join(title.replace("/", " ").split())[:80]].append((question, answer))
    rng = random.Random(_SEED)
    titles = sorted(rng.sample(sorted(pages), min(_PAGES, len(pages))))
    files = {f"{title}.txt": "\n\n".join([title.upper(), *(answer for _, answer in pages[title])]) for title in titles}
    questions = [
        Question(question, (), (" ".join(answer.split()[:_GOLD_WORDS]),), frozenset([f"{title}.txt"]), title)
        for title in titles
        for question, answer in pages[title]
    ]
    return RetrievalSet(name, files, tuple(rng.sample(questions, min(_QUESTIONS, len(questions)))))


def _golden() -> RetrievalSet:
    files = {path.name: path for path in sorted((ROOT / "examples/shop").iterdir())}
    queries = [query for query in load_queries(ROOT / "tests/golden/queries.jsonl") if query.answerable]
    questions = [
        Question(
            query.question,
            query.history,
            tuple(evidence.quote for evidence in query.evidence),
            frozenset(evidence.source for evidence in query.evidence),
            query.id,
            by_quote=True,
        )
        for query in queries
    ]
    return RetrievalSet("golden", files, tuple(questions))
