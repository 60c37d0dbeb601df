"""Asks the product a dialogue's questions and keeps, for each, what a figure or a fit may need."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from api.bootstrap import Services
from benchmarks._doc2dial import COLLECTION, Turn, move_spans
from benchmarks._knowledge_base import documents_by_source
from benchmarks._peers import BestSentence, best_window_f1
from domain.chat import Answer, Citation, PassagesFound, TurnEvent
from domain.documents import Passage
from domain.ids import sha256_hex
from domain.text import Span
from generator.evaluation import AnswerFigures, Answering, finished, measure
from generator.metrics import token_f1
from generator.search_plan import interleave, plan_searches

_ORACLE_PASSAGES = 3
_MAX_QUESTION_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Record:
    """One question and what became of it: numbers, names and offsets, but no text of a document or a dialogue.

    ``overlapping`` counts the citations whose quote shares a place of the document with a gold span; ``gold_found``: a
    found passage does. ``parts`` is the receipt's path and confidence for each part of the question. What peers did
    with the same passages (``quoted``, ``sentence_f1``, ``window_f1``) is None where the question's document was taken
    away.
    """

    id: str
    document: str
    kind: str
    is_reply: bool
    figures: AnswerFigures
    quotes_exact: int
    overlapping: int
    gold_found: bool
    passages: tuple[str, ...]
    parts: tuple[Mapping[str, Any], ...]
    quoted: AnswerFigures | None = None
    sentence_f1: float | None = None
    window_f1: float | None = None

    @property
    def is_right(self) -> bool:
        """Some quote is the gold text, or shares a place with it."""
        return self.overlapping > 0 or self.figures.citations_right > 0


def read_record(line: str) -> Record:
    row = json.loads(line)
    for name in ("figures", "quoted"):
        row[name] = AnswerFigures(**row[name]) if row[name] is not None else None
    row["passages"], row["parts"] = tuple(row["passages"]), tuple(row["parts"])
    return Record(**{field.name: row[field.name] for field in fields(Record)})


class RecordFile:
    """Records as JSON lines. What is on file is not asked again, so a run that was stopped can go on."""

    def __init__(self, path: Path, resume: bool) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not resume:
            path.unlink(missing_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # a run that was killed may leave half a line
        path.write_text(whole, encoding="utf-8")
        self.known = {record.id: record for record in map(read_record, whole.splitlines())}

    def add(self, record: Record) -> Record:
        self.known[record.id] = record
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(record)) + "\n")
        return record


class Examiner:
    """Asks ``agent`` and judges its answers by the gold spans, as offsets in the texts that ``services`` stores.

    Args:
        originals: text by Doc2Dial id, which the gold spans point into.
        quoting: the same agent without a language model, for comparison; goes with ``peer``.
    """

    def __init__(
        self,
        services: Services,
        agent: Answering,
        originals: Mapping[str, str],
        quoting: Answering | None = None,
        peer: BestSentence | None = None,
    ) -> None:
        self._services = services
        self._agent = agent
        self._originals = originals
        self._quoting = quoting
        self._peer = peer
        self._documents = documents_by_source(services, COLLECTION)

    def ask(self, turn: Turn) -> Record:
        started = time.perf_counter()
        events = _answer(self._agent, turn)
        seconds = time.perf_counter() - started
        done = finished(events)
        passages = self._passages(turn, events)
        gold = self._gold(turn)
        cited = _cited(done.answer)
        parts: Any = done.receipt.get("parts", ())
        record = Record(
            id=turn.query.id,
            document=turn.document,
            kind=turn.kind,
            is_reply=turn.is_reply,
            figures=measure(turn.query, done.answer, seconds),
            quotes_exact=sum(map(self._is_exact, cited)),
            overlapping=sum(gold.overlaps(c.document_id, c.start_char, c.end_char) for c in cited),
            gold_found=any(gold.overlaps(p.document_id, p.start_char, p.end_char) for p in passages),
            passages=tuple(passage.passage_id for passage in passages),
            parts=tuple({"path": part["path"], **_numbers(part["confidence"])} for part in parts),
        )
        return record if self._quoting is None else self._with_peers(record, turn, [p.text for p in passages])

    def _with_peers(self, record: Record, turn: Turn, passages: Sequence[str]) -> Record:
        assert self._quoting is not None
        assert self._peer is not None
        started = time.perf_counter()
        quoted = finished(_answer(self._quoting, turn)).answer
        return replace(
            record,
            quoted=measure(turn.query, quoted, time.perf_counter() - started),
            sentence_f1=token_f1(self._peer.choose(condensed(turn), passages), turn.query.gold_text),
            window_f1=best_window_f1(passages[:_ORACLE_PASSAGES], turn.query.gold_text),
        )

    def _passages(self, turn: Turn, events: Sequence[TurnEvent]) -> list[Passage]:
        """Those the turn announced. A courtesy or a question declined at the door searched for none: what it would have
        found, so that peers are asked all the same."""
        announced = next(event.passage_ids for event in events if isinstance(event, PassagesFound))
        if announced:
            return self._fetch(announced)
        generator, searcher = self._services.settings.generator, self._services.retriever
        planned = plan_searches(turn.query.question, turn.query.history, generator.max_question_chars)
        found = [plan.run(searcher, generator.passages, COLLECTION).passages for plan in planned]
        return [hit.passage for hit in interleave(found)]

    def _fetch(self, ids: Sequence[str]) -> list[Passage]:
        live = self._services.documents.fetch_passages(ids)
        return [live[passage_id].passage for passage_id in ids]

    def _gold(self, turn: Turn) -> _Gold:
        document_id = self._documents.get(turn.query.evidence[0].source)
        if document_id is None:  # this knowledge base is the one without it
            return _Gold("", ())
        stored = self._services.documents.version(document_id).text
        return _Gold(document_id, move_spans(self._originals[turn.document], stored, turn.gold))

    def _is_exact(self, citation: Citation) -> bool:
        text = self._services.documents.version(citation.document_id, citation.version).text
        quote = text[citation.start_char : citation.end_char]
        return quote == citation.quote and sha256_hex(quote) == citation.sha256


@dataclass(frozen=True, slots=True)
class _Gold:
    """Where the gold text stands. Spans begin and end with a character, so sharing a place means sharing a word."""

    document_id: str
    spans: tuple[Span, ...]

    def overlaps(self, document_id: str, start: int, end: int) -> bool:
        return document_id == self.document_id and any(span.start < end and start < span.end for span in self.spans)


def condensed(turn: Turn) -> str:
    """The question as the product searches for it, which is what a peer is asked too."""
    history = turn.query.history
    return " ".join(plan.query for plan in plan_searches(turn.query.question, history, _MAX_QUESTION_CHARS))


def _numbers(facts: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in facts.items() if isinstance(value, (int, float))}


def _answer(agent: Answering, turn: Turn) -> list[TurnEvent]:
    return list(agent.answer(turn.query.question, turn.query.history, turn.query.collection))


def _cited(answer: Answer) -> list[Citation]:
    """The citation of each (sentence, mark) pair that was emitted."""
    by_mark = {citation.n: citation for citation in answer.citations}
    return [by_mark[n] for sentence in answer.sentences for n in sentence.citations]
