"""Pages that the reader learns from: sentences under their headings, and the questions that they answer.

From the public sets, each read as a help page: a title's passages one after another, the entries of a FAQ below each
other, what customers typed beside what others meant by the same. And from the companies written for it.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.text import Span, sentence_spans, sentences
from generator.condense import carried
from generator.dataset import is_held_out
from generator.train.asking import ask_about, keyword_question, sentence_question
from generator.train.companies import Company
from generator.train.sources import ENGLISH_PROSE, as_message, is_under, plain_sentences, read_rows, sections

_MAX_SENTENCE_WORDS = 70
_INTENTS_OF_A_PAGE = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence under its heading. ``page`` is what a passage's lead names."""

    page: str
    heading: str
    text: str
    is_row: bool = False  # of a table


@dataclass(frozen=True, slots=True)
class Page:
    """Lines that passages are cut from, and the questions about them, each with the places of its answers."""

    source: str
    name: str
    lines: tuple[Line, ...]
    asked: tuple[tuple[str, str, tuple[int, ...]], ...]  # question, context, answers
    headings_tell: bool = False  # questions were made of headings


def company_page(company: Company) -> Page:
    lines = tuple(Line(s.document, s.heading, s.text, bool(s.columns)) for s in company.sentences)
    asked = tuple((q.question, carried(q.history), tuple(n - 1 for n in q.answers)) for q in company.questions)
    return Page("companies", company.name, lines, asked)


def pages_of(data: Path, rng: random.Random) -> Iterator[Page]:
    yield from _squad(read_rows(data / "grounded_qa/squad2.jsonl.zst"), "squad2")
    yield from _squad(read_rows(data / "grounded_qa/covidqa.jsonl.zst"), "covidqa")
    yield from _doc2dial(data)
    for name in ("answerable", "unanswerable"):
        yield from _clapnq(read_rows(data / f"grounded_qa/clapnq_{name}.jsonl.zst"))
    yield from _faq(read_rows(data / "faq/dstc9_faq.jsonl.zst"), "dstc9", "entity", "entity")
    yield from _faq(read_rows(data / "faq/medquad.jsonl.zst"), "medquad", "doc", "focus")
    yield from _faq(read_rows(data / "faq/mined_docs_faq.jsonl.zst"), "mined_docs_faq", "source", "source")
    for name in ENGLISH_PROSE:
        rows = list(read_rows(data / f"prose/{name}.jsonl.zst"))
        yield from _prose(rng.sample(rows, min(60, len(rows))), rng)
    yield from _intents(data / "intents", rng)


def _squad(rows: Iterable[dict[str, Any]], source: str) -> Iterator[Page]:
    """A page for each title: its passages one after another, and all questions about them."""
    told: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        told[str(row["title"] or row["passage"][:80]).replace("_", " ")][row["passage"]].append(row)
    for title, passages in told.items():
        lines: list[Line] = []
        asked: list[tuple[str, str, tuple[int, ...]]] = []
        for n, (passage, questions) in enumerate(passages.items()):
            spans = sentence_spans(passage)
            if not spans or any(len(span.of(passage).split()) > 2 * _MAX_SENTENCE_WORDS for span in spans):
                continue
            for row in questions:
                at = int(row["answer_start"]) if row["answerable"] and row["answer"] else -1
                hits = tuple(len(lines) + i for i, span in enumerate(spans) if span.start <= at < span.end)
                if hits or at < 0:
                    asked.append((row["question"], "", hits))
            lines.extend(Line(f"{title} {n}" if len(passages) < 2 else title, "", _flat(s.of(passage))) for s in spans)
        if lines:
            yield Page(source, title, tuple(lines), tuple(asked))


def _doc2dial(data: Path) -> Iterator[Page]:
    turns = defaultdict(list)
    for row in read_rows(data / "grounded_qa/doc2dial_turns.jsonl.zst"):
        turns[row["doc_id"]].append(row)
    for row in read_rows(data / "grounded_qa/doc2dial_docs.jsonl.zst"):
        if is_held_out(row["doc_id"]):
            continue
        text, title = row["text"], row["doc_id"].split("#")[0]
        spans = [s for s in sentence_spans(text) if len(s.of(text).split()) <= 2 * _MAX_SENTENCE_WORDS]
        asked = []
        for turn in turns[row["doc_id"]]:
            history = [as_message(message) for message in turn["history"]]
            gold = [
                Span(int(a), int(a) + len(t.rstrip()))
                for a, t in zip(turn["answer_starts"], turn["answer_spans"], strict=True)
            ]
            hits = tuple(i for i, span in enumerate(spans) if any(is_under(span, one) for one in gold))
            if hits and len(turn["question"].split()) + len(history) > 2:
                asked.append((turn["question"], carried(history), hits))
        lines = tuple(Line(title, "", _flat(span.of(text))) for span in spans)
        yield Page("doc2dial", row["doc_id"], lines, tuple(asked))


def _clapnq(rows: Iterable[dict[str, Any]]) -> Iterator[Page]:
    for row in rows:
        shown = row["passages"][0]
        chosen = set(row["output"][0]["selected_sentences"])
        lines = tuple(Line(shown["title"], "", _flat(s)) for s in shown["sentences"] if s.strip())
        answers = tuple(i for i, s in enumerate(s for s in shown["sentences"] if s.strip()) if s in chosen)
        if bool(chosen) == bool(answers) and all(len(line.text.split()) < 2 * _MAX_SENTENCE_WORDS for line in lines):
            yield Page("clapnq", row["id"], lines, ((row["input"], "", answers),))


def _faq(rows: Iterable[dict[str, Any]], source: str, page_key: str, title_key: str) -> Iterator[Page]:
    """The entries of one page below each other: what answers one question is what another one must not take."""
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        told[str(row.get(page_key) or row.get("id", row.get("domain", "")).rpartition("-")[0])].append(row)
    for name, entries in told.items():
        lines: list[Line] = []
        asked: list[tuple[str, str, tuple[int, ...]]] = []
        for row in entries:
            kept = [_flat(s) for s in sentences(row["answer"]) if 2 <= len(s.split()) <= _MAX_SENTENCE_WORDS][:4]
            if kept:
                first = len(lines)
                lines.extend(Line(str(row.get(title_key) or name).title(), row["question"], text) for text in kept)
                asked.append(
                    (row["question"].replace(" ?", "?").replace("(are) ", ""), "", tuple(range(first, len(lines))))
                )
        yield Page(source, name, tuple(lines), tuple(asked), headings_tell=True)


def _prose(rows: Iterable[dict[str, Any]], rng: random.Random) -> Iterator[Page]:
    """Two pages of each document: one asked by its headings, one by words of its sentences."""
    for row in rows:
        lines: list[Line] = []
        by_heading: list[tuple[str, str, tuple[int, ...]]] = []
        by_sentence: list[tuple[str, str, tuple[int, ...]]] = []
        for heading, body in list(sections(row["title"], row["text"]))[:12]:
            kept = plain_sentences(body, 6)
            first = len(lines)
            lines.extend(Line(str(row["title"]), heading, text) for text in kept)
            if kept:
                by_heading.append((ask_about(heading, rng), "", tuple(range(first, len(lines)))))
                at = rng.randrange(len(kept))
                turned = sentence_question(kept[at], rng) or keyword_question(kept[at], rng)
                if turned:
                    by_sentence.append((turned, "", (first + at,)))
        if len(by_heading) > 2:
            yield Page("prose_headings", row["source"], tuple(lines), tuple(by_heading), headings_tell=True)
            yield Page("prose_sentences", row["source"], tuple(lines), tuple(by_sentence))


def _intents(folder: Path, rng: random.Random) -> Iterator[Page]:
    """What customers type, beside what others typed with the same intent: the same question in other words."""
    for name, rows in _intent_rows(folder):
        by_intent: dict[str, list[str]] = defaultdict(list)
        for text, intent in rows:
            by_intent[intent].append(_flat(text))
        strangers = by_intent.pop("oos", []) or by_intent.pop("NO_NODES_DETECTED", [])
        for n in range(_INTENTS_OF_A_PAGE):
            lines: list[Line] = []
            asked: list[tuple[str, str, tuple[int, ...]]] = []
            for intent in rng.sample(sorted(by_intent), len(by_intent)):
                shown, *others = rng.sample(by_intent[intent], min(3, len(by_intent[intent])))
                if rng.random() < 0.75:
                    lines.append(Line(name, "", shown if shown[-1] in ".?!" else f"{shown}?"))
                    asked.extend((other, "", (len(lines) - 1,)) for other in others[:1])
                else:
                    asked.extend((other, "", ()) for other in others[:1])
            asked.extend((text, "", ()) for text in rng.sample(strangers, min(8, len(strangers))))
            yield Page("intents", f"{name} {n}", tuple(lines), tuple(rng.sample(asked, min(30, len(asked)))))


def _intent_rows(folder: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for path in sorted([folder / "banking77_train.csv", *folder.glob("hint3/*.csv")]):
        with path.open(encoding="utf-8", newline="") as lines:
            yield path.stem.removesuffix("_train"), [(row[0], row[1]) for row in list(csv.reader(lines))[1:] if row[0]]
    rows = read_rows(folder / "clinc150_train_val.jsonl.zst")
    yield "help", [(row["text"], row["intent"]) for row in rows]


def _flat(text: str) -> str:
    return " ".join(text.split())
