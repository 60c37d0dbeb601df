"""The companies of ``examples/companies`` as knowledge bases, and their questions as golden ones."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

from domain.chat import ChatMessage
from generator.evaluation import GoldenQuery, GoldEvidence
from generator.train.companies import Company, CompanySentence


def collection_of(company: Company) -> str:
    return re.sub(r"\W+", "-", company.name.lower()).strip("-")


def company_files(company: Company) -> dict[str, str]:
    """A Markdown file for each document; sections whose heading asks something are entries of a FAQ file."""
    sections: dict[tuple[str, str], list[CompanySentence]] = defaultdict(list)
    for sentence in company.sentences:
        sections[sentence.document, sentence.heading].append(sentence)
    pages: dict[str, list[str]] = defaultdict(list)
    entries: list[tuple[str, str]] = []
    for (document, heading), told in sections.items():
        if heading.endswith("?"):
            entries.append((heading, " ".join(sentence.text for sentence in told)))
            continue
        page = pages[_file_name(document)]
        page.extend([] if page else [f"# {document}"])
        page.extend([f"## {heading}"] if heading else [])
        page.extend(_blocks(told))
    files = {name: "\n\n".join(page) + "\n" for name, page in pages.items()}
    return files | ({"faq.csv": _faq(entries)} if entries else {})


def company_queries(company: Company) -> list[GoldenQuery]:
    collection = collection_of(company)
    queries = []
    for number, asked in enumerate(company.questions, start=1):
        evidence = []
        for n in asked.answers:
            sentence = company.sentences[n - 1]
            source = "faq.csv" if sentence.heading.endswith("?") else _file_name(sentence.document)
            evidence.append(GoldEvidence(source, sentence.text))
        history = tuple(ChatMessage(m.role, m.content) for m in asked.history)
        queries.append(
            GoldenQuery(
                id=f"{collection}-{number}",
                question=asked.question,
                history=history,
                collection=collection,
                evidence=tuple(evidence),
                facts=(),
                answerable=bool(evidence),
            )
        )
    return queries


def _blocks(told: list[CompanySentence]) -> Iterator[str]:
    """Paragraphs, and tables as Markdown writes them."""
    for columns, some in groupby(told, key=lambda sentence: sentence.columns):
        if columns:
            rows = [columns, ["---"] * len(columns), *(sentence.cells for sentence in some)]
            yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
        else:
            yield " ".join(sentence.text for sentence in some)


def _file_name(document: str) -> str:
    return re.sub(r"[^\w ]+", "", document).strip().lower().replace(" ", "-") + ".md"


def _faq(entries: list[tuple[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["question", "answer"])
    writer.writerows(entries)
    return out.getvalue()
