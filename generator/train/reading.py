"""Builds what the reader learns from: a question, a few passages, and which of their sentences answer.

``python -m generator.train.reading DATA COMPANIES FOLDER`` writes ``train.jsonl`` and ``validation.jsonl``, one
question a line; ``retriever.reading.train`` reads them. Where the answer stands in a passage is left to chance: what
follows one heading is packed together with what stands around it, so the first sentence is right no more often than
any other, and a data set whose answers all open a section teaches more than to open one.
"""

from __future__ import annotations

import csv
import json
import logging
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.chat import ChatMessage, Role
from domain.text import sentence_spans, sentences
from generator.augmentation import vary_question
from generator.condense import carried
from generator.dataset import content_words, is_held_out, is_validation
from generator.distractors import Bm25
from generator.train.asking import ask_about, keyword_question, sentence_question
from generator.train.companies import Company, read_companies
from generator.train.sources import ENGLISH_PROSE, plain_sentences, read_rows, sections

logger = logging.getLogger(__name__)

# Questions of each source, before the companies, of which all are taken.
_QUESTIONS = {
    "squad2": 5000,
    "covidqa": 500,
    "doc2dial": 6000,
    "clapnq": 300,
    "dstc9": 1500,
    "medquad": 1000,
    "mined_docs_faq": 1500,
    "prose_headings": 800,
    "prose_sentences": 800,
    "intents": 2000,
}
_MEASURING = 8  # of so many companies, and of documents of Doc2Dial, one
_DRAWS_OF = {"companies": 4, "doc2dial": 4}  # how often their questions come, each time among passages cut anew
_PASSAGES = 3
_WORDS = (40, 120)  # of a passage; the product's have at most 200, but a short one costs less to learn from
_LEFT_OUT = 0.15  # how often the answer is taken away where a set has no questions without one
_SHOWN_HEADINGS = 0.3  # how often a heading that was made into the question may be seen
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


def main(data: Path, companies: Path, folder: Path) -> None:
    rng = random.Random(5)  # noqa: S311  # repeatable, not secret
    folder.mkdir(parents=True, exist_ok=True)
    sides: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    by_source: dict[str, list[Page]] = defaultdict(list)
    for page in _pages(data, rng):
        by_source[page.source].append(page)
    for source, pages in by_source.items():
        held_out = is_measuring_document if source == "doc2dial" else is_validation
        found = [
            (held_out(page.name), row)
            for page in pages
            for _ in range(_DRAWS_OF.get(source, 1))
            for row in rows_of(page, rng)
        ]
        rng.shuffle(found)
        for held in (False, True):
            rows = [row for is_held, row in found if is_held is held][: _QUESTIONS[source] if not held else 150]
            sides["validation" if held else "train"].extend(rows)
    for company in read_companies(companies):
        for _ in range(1 if side_of(company) == "validation" else _DRAWS_OF["companies"]):
            sides[side_of(company)].extend(rows_of(company_page(company), rng))
    for name, rows in sides.items():
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        logger.info("%s %s", name, dict(Counter(row["source"] for row in rows)))


def side_of(company: Company) -> str:
    """One company in eight only ever measures."""
    return "validation" if is_validation(company.name, _MEASURING) else "train"


def is_measuring_document(doc_id: str) -> bool:
    """One of eight documents of Doc2Dial that are not held out is not learnt from either: weights are fitted on it."""
    return is_validation(doc_id, _MEASURING)


def company_page(company: Company) -> Page:
    lines = tuple(Line(s.document, s.heading, s.text, bool(s.columns)) for s in company.sentences)
    asked = tuple((q.question, carried(q.history), tuple(n - 1 for n in q.answers)) for q in company.questions)
    return Page("companies", company.name, lines, asked)


def rows_of(page: Page, rng: random.Random) -> Iterator[dict[str, Any]]:
    """A row for each question: its passage among others of the page, or only such as look right, where none answers."""
    index = Bm25([w for text in (line.heading, line.text) for w in content_words(text)] for line in page.lines)
    has_unanswerable = page.source in ("squad2", "companies", "clapnq", "intents")
    for question, context, answers in page.asked:
        wanted = content_words(f"{question} {context}")
        known = set(answers)
        if answers and not has_unanswerable and rng.random() < _LEFT_OUT:
            page_lines, kept = [i for i in range(len(page.lines)) if i not in known], set()
        else:
            page_lines, kept = list(range(len(page.lines))), known
        if not page_lines:
            continue
        scores = index.scores(wanted)
        ranked = sorted(page_lines, key=lambda i: -scores[i] + rng.random() * 0.5)
        wrong = [i for i in ranked if i not in kept]
        seeds = ([rng.choice(sorted(kept))] if kept else wrong[:1]) + wrong
        passages: list[list[int]] = []
        taken: set[int] = set()
        for seed in seeds:
            if seed not in taken and len(passages) < _PASSAGES:
                passage = _cut(page_lines, page.lines, seed, taken, rng)
                taken.update(passage)
                passages.append(passage)
        rng.shuffle(passages)
        hide = page.headings_tell and rng.random() > _SHOWN_HEADINGS
        shown = [_rendered([page.lines[i] for i in one], [i in kept for i in one], hide) for one in passages]
        asked = question if page.source in ("companies", "intents") else vary_question(question, rng)
        yield {"source": page.source, "page": page.name, "question": asked, "context": context, "passages": shown}


def _cut(usable: Sequence[int], lines: Sequence[Line], seed: int, taken: set[int], rng: random.Random) -> list[int]:
    """Neighbouring lines of one document around the seed, up to a chance number of words."""
    place = {line: n for n, line in enumerate(usable)}
    target = rng.randint(*_WORDS)
    low = high = place[seed]
    size = len(lines[seed].text.split())
    while size < target:
        before, after = low - 1, high + 1
        sides = [n for n in (before, after) if 0 <= n < len(usable) and _may_join(usable[n], lines, seed, taken)]
        if not sides:
            break
        chosen = rng.choice(sides)
        size += len(lines[usable[chosen]].text.split())
        low, high = min(low, chosen), max(high, chosen)
    return [usable[n] for n in range(low, high + 1)]


def _may_join(i: int, lines: Sequence[Line], seed: int, taken: set[int]) -> bool:
    return i not in taken and lines[i].page == lines[seed].page


def _rendered(lines: Sequence[Line], right: Sequence[bool], hide_headings: bool) -> dict[str, Any]:
    """As the product's passages are: a lead, and a text in which the headings of later sections stand."""
    same = len({line.heading for line in lines}) == 1
    first = lines[0].heading
    lead = " > ".join(filter(None, (lines[0].page, first if same and not hide_headings else "")))
    text, spans, answers = "", [], []
    before = first if same else None
    for n, line in enumerate(lines):
        if line.heading != before and line.heading and not hide_headings:
            text += f"{line.heading}\n\n"
        before = line.heading
        spans.append([len(text), len(text) + len(line.text)])
        text += line.text + (_between(line, lines[n + 1]) if n + 1 < len(lines) else "")
        if right[n]:
            answers.append(n)
    return {"lead": lead, "text": text.rstrip(), "sentences": spans, "answers": answers}


def _between(line: Line, following: Line) -> str:
    if line.heading != following.heading or line.is_row != following.is_row:
        return "\n\n"
    return "\n" if line.is_row else " "


def _pages(data: Path, rng: random.Random) -> Iterator[Page]:
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
            history = [_message(message) for message in turn["history"]]
            gold = [
                (int(a), int(a) + len(t.rstrip()))
                for a, t in zip(turn["answer_starts"], turn["answer_spans"], strict=True)
            ]
            hits = tuple(
                i
                for i, span in enumerate(spans)
                if any(
                    2 * (min(span.end, e) - max(span.start, s)) >= min(span.end - span.start, e - s) for s, e in gold
                )
            )
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


def _message(turn: dict[str, str]) -> ChatMessage:
    return ChatMessage(Role.USER if turn["role"] == "customer" else Role.ASSISTANT, turn["content"])


def _flat(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(*map(Path, sys.argv[1:4]))
