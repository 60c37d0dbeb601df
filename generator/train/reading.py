"""Builds what the reader learns from: a question, a few passages, and which of their sentences answer.

``python -m generator.train.reading DATA COMPANIES FOLDER`` writes ``train.jsonl`` and ``validation.jsonl``, one
question a line; ``retriever.reading.train`` reads them. Where the answer stands in a passage is left to chance: what
follows one heading is packed together with what stands around it, so the first sentence is right no more often than
any other, and a data set whose answers all open a section teaches more than to open one.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from generator.augmentation import vary_question
from generator.dataset import content_words, is_validation
from generator.distractors import Bm25
from generator.train.companies import Company, read_companies
from generator.train.reading_pages import Line, Page, company_page, pages_of

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
_NEW_MATTER = 0.08  # how often a question to a company comes after one that it has nothing to do with
_SHOWN_HEADINGS = 0.3  # how often a heading that was made into the question may be seen


def main(data: Path, companies: Path, folder: Path) -> None:
    rng = random.Random(5)  # noqa: S311  # repeatable, not secret
    folder.mkdir(parents=True, exist_ok=True)
    sides: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    by_source: dict[str, list[Page]] = defaultdict(list)
    for page in pages_of(data, rng):
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
        save_rows(folder / f"{name}.jsonl", rows)


def save_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    logger.info("%s %s", path.name, dict(Counter(row["source"] for row in rows)))


def side_of(company: Company) -> str:
    """One company in eight only ever measures."""
    return "validation" if is_validation(company.name, _MEASURING) else "train"


def is_measuring_document(doc_id: str) -> bool:
    """One of eight documents of Doc2Dial that are not held out is not learnt from either: weights are fitted on it."""
    return is_validation(doc_id, _MEASURING)


def rows_of(page: Page, rng: random.Random) -> Iterator[dict[str, Any]]:
    """A row for each question: its passage among others of the page, or only such as look right, where none answers."""
    index = Bm25([w for text in (line.heading, line.text) for w in content_words(text)] for line in page.lines)
    has_unanswerable = page.source in ("squad2", "companies", "clapnq", "intents")
    for question, before, answers in page.asked:
        is_new_matter = page.source == "companies" and not before and rng.random() < _NEW_MATTER
        context = rng.choice(page.asked)[0] if is_new_matter else before
        wanted = content_words(f"{question} {before}")
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


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(*map(Path, sys.argv[1:4]))
