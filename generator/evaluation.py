"""Answer figures on golden questions, as the interfaces define them.

Gold is what people wrote down: the evidence quotes and the facts. Nothing here asks the product's own verifier.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from domain.chat import Answer, AnswerStatus, ChatMessage, Role, TurnEvent, TurnFinished
from domain.errors import InvalidInput
from domain.protocols import Searcher
from generator.metrics import Figure as Figure  # what reports are made of: theirs to import from here
from generator.metrics import all_facts_said, bootstrap, quote_is_right, quote_says, support_share, token_f1
from generator.search_plan import interleave, plan_searches

_MAX_QUERY_CHARS = 4000  # no golden question comes near it


@dataclass(frozen=True, slots=True)
class GoldEvidence:
    source: str
    quote: str


@dataclass(frozen=True, slots=True)
class GoldenQuery:
    """One line of ``QUERIES.jsonl``. ``facts``: for each matter asked, the wordings of which one must be said."""

    id: str
    question: str
    history: tuple[ChatMessage, ...]
    collection: str | None
    evidence: tuple[GoldEvidence, ...]
    facts: tuple[tuple[str, ...], ...]
    answerable: bool

    @property
    def gold_text(self) -> str:
        return " ".join(piece.quote for piece in self.evidence)


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """How one query was answered; None where a figure has no meaning (a refusal cites nothing).

    Of the ``citations``, ``citations_right`` quote the gold evidence, ``citations_verbatim`` their sentence word for
    word.
    """

    id: str
    answerable: bool
    answered: bool
    path: str
    f1: float
    facts: bool | None
    citations_right: int
    citations: int
    support: float | None
    confidence: float
    seconds: float
    citations_verbatim: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """``overall`` and ``by_path`` map a figure's name to it; ``paths`` counts answers; latency is in seconds."""

    queries: int
    overall: Mapping[str, Figure]
    by_path: Mapping[str, Mapping[str, Figure]]
    paths: Mapping[str, int]
    latency_p50: float
    latency_p95: float
    answers: tuple[AnswerFigures, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Answering(Protocol):
    """What is measured; ``generator.agent.Agent`` is one."""

    def answer(
        self, question: str, history: Sequence[ChatMessage] = (), collection: str | None = None
    ) -> Iterator[TurnEvent]: ...


def load_queries(path: Path) -> list[GoldenQuery]:
    """Read golden questions.

    Raises:
        InvalidInput: a line is not what ``GoldenQuery`` needs; the message names file and line.
    """
    queries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            queries.append(_parse(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise InvalidInput(
                f"{path.name}, line {number}: {problem}.",
                "A line is an object with id, question, evidence, facts and answerable; see tests/golden/README.md.",
            ) from error
    if not queries:
        raise InvalidInput(f"{path.name} holds no questions.", "Give it one JSON object a line.")
    return queries


def evaluate(
    queries: Sequence[GoldenQuery], agent: Answering, progress: Callable[[int, int], None] | None = None
) -> EvaluationReport:
    """Ask every query and measure the answers."""
    measured = []
    for done, query in enumerate(queries, start=1):
        started = time.perf_counter()
        answer = finished(agent.answer(query.question, query.history, query.collection)).answer
        measured.append(measure(query, answer, time.perf_counter() - started))
        if progress:
            progress(done, len(queries))
    return summarise(measured)


def finished(events: Iterable[TurnEvent]) -> TurnFinished:
    """The event that ends a turn, with its answer and its receipt."""
    last = list(events)[-1]
    assert isinstance(last, TurnFinished)  # the agent's promise
    return last


def evaluate_retrieval(
    queries: Sequence[GoldenQuery],
    searcher: Searcher,
    is_relevant: Callable[[str, Sequence[str]], bool],
    measures: Mapping[str, Callable[[Sequence[bool]], float]],
    top_k: int = 5,
) -> dict[str, Figure]:
    """Search for each answerable question as a turn does, part by part, and measure the joint ranking.

    Args:
        is_relevant: does a passage's text hold one of the evidence quotes?
        measures: by name, a figure of one ranking (True where a hit is relevant, best hit first).
    """
    rankings = []
    for query in queries:
        if query.answerable:
            planned = plan_searches(query.question, query.history, _MAX_QUERY_CHARS)
            found = interleave([s.run(searcher, top_k, query.collection).passages for s in planned])[:top_k]
            quotes = [piece.quote for piece in query.evidence]
            rankings.append([is_relevant(hit.passage.text, quotes) for hit in found])
    return {name: bootstrap([figure(ranking) for ranking in rankings]) for name, figure in measures.items()}


def measure(query: GoldenQuery, answer: Answer, seconds: float) -> AnswerFigures:
    """Judge one answer against gold."""
    answered = answer.status is AnswerStatus.ANSWERED
    said = " ".join(sentence.text for sentence in answer.sentences if sentence.citations)
    quotes = {citation.n: citation.quote for citation in answer.citations}
    pairs = [(sentence.text, quotes[n]) for sentence in answer.sentences for n in sentence.citations]
    right = sum(any(quote_is_right(quote, gold.quote) for gold in query.evidence) for _, quote in pairs)
    return AnswerFigures(
        id=query.id,
        answerable=query.answerable,
        answered=answered,
        path=answer.path.value,
        f1=token_f1(said, query.gold_text) if answered else 0.0,
        facts=all_facts_said(said, query.facts) if query.answerable else None,
        citations_right=right,
        citations=len(pairs),
        support=support_share(said, quotes.values()) if said else None,
        confidence=answer.confidence,
        seconds=seconds,
        citations_verbatim=sum(quote_says(quote, sentence) for sentence, quote in pairs),
    )


def summarise(measured: Sequence[AnswerFigures]) -> EvaluationReport:
    answered_paths = Counter(m.path for m in measured)
    seconds = [m.seconds for m in measured] or [0.0]
    return EvaluationReport(
        queries=len(measured),
        overall=_figures(measured),
        by_path={path: _figures([m for m in measured if m.path == path]) for path in sorted(answered_paths)},
        paths=dict(answered_paths),
        latency_p50=float(np.percentile(seconds, 50)),
        latency_p95=float(np.percentile(seconds, 95)),
        answers=tuple(measured),
    )


def _figures(measured: Sequence[AnswerFigures]) -> dict[str, Figure]:
    answerable = [m for m in measured if m.answerable]
    citing = [m for m in measured if m.citations]
    values: dict[str, list[float]] = {
        "answered_share": [float(m.answered) for m in answerable],
        "refused_share": [float(not m.answered) for m in measured if not m.answerable],
        "f1": [m.f1 for m in answerable],
        "facts": [float(bool(m.facts)) for m in answerable],
        "facts_when_answered": [float(bool(m.facts)) for m in answerable if m.answered],
        "citation_precision": [m.citations_right / m.citations for m in citing],
        "citation_verbatim": [m.citations_verbatim / m.citations for m in citing],
        "support": [m.support for m in citing if m.support is not None],
    }
    return {name: bootstrap(found) for name, found in values.items()}


def _parse(row: Mapping[str, Any]) -> GoldenQuery:
    answerable = row["answerable"]
    if not isinstance(answerable, bool):
        raise TypeError("answerable is not true or false")
    if not isinstance(row["question"], str) or not row["question"].strip():
        raise ValueError("question is empty or not text")
    evidence = tuple(GoldEvidence(str(e["source"]), str(e["quote"])) for e in row["evidence"])
    if answerable and not evidence:
        raise ValueError("answerable without evidence")
    facts = row.get("facts", [])
    if any(isinstance(alternatives, str) for alternatives in facts):
        raise TypeError("facts is not a list of lists of wordings")
    return GoldenQuery(
        id=str(row["id"]),
        question=row["question"],
        history=tuple(ChatMessage(Role(m["role"]), str(m["content"])) for m in row.get("history", [])),
        collection=row.get("collection"),
        evidence=evidence,
        facts=tuple(tuple(str(wording) for wording in alternatives) for alternatives in facts),
        answerable=answerable,
    )
