"""Checks that keep the golden questions and the sample knowledge base honest.

The readers below are deliberately simple and share nothing with the product: a fault in the product's parsers must not
be able to hide a wrong quote.
"""

from __future__ import annotations

import csv
import functools
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
from selectolax.lexbor import LexborHTMLParser

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
SHOP = EXAMPLES / "shop"
HALVES = {"queries.jsonl": (30, 12), "set_aside.jsonl": (30, 13)}
FAQ_FILES = {"faq.csv", "faq.json", "faq.jsonl"}
KEYS = {"id", "question", "history", "collection", "evidence", "facts", "answerable"}
MAX_SHARED = 0.6

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a about again all also am an and any are as at be been but by can could did do does for from get got had has
        have how i if in into is it its just may me more much my no not of off on once one or our out over please should
        so some than that the their them then there they this to too up us was we were what when where which who why
        will with would you your
        """,
    )
)

Query = dict[str, Any]


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def faq_entries() -> list[tuple[str, str]]:
    with (SHOP / "faq.csv").open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    rows += json.loads((SHOP / "faq.json").read_text(encoding="utf-8"))
    rows += read_jsonl(SHOP / "faq.jsonl")
    return [(row["question"], row["answer"]) for row in rows]


def read_html(path: Path) -> str:
    tree = LexborHTMLParser(path.read_text(encoding="utf-8"))
    tree.strip_tags(["script", "style", "nav", "footer"])
    return tree.body.text(separator=" ") if tree.body else ""


def read_pdf(path: Path) -> str:
    pdf = pypdfium2.PdfDocument(path)
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in pdf)
    finally:
        pdf.close()


def read_docx(path: Path) -> str:
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


def read_faq(path: Path) -> str:
    """Return questions and answers of one file, decoded, so that escaped characters compare as plain text."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return "\n".join(f"{row['question']}\n{row['answer']}" for row in csv.DictReader(file))
    rows = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else read_jsonl(path)
    return "\n".join(f"{row['question']}\n{row['answer']}" for row in rows)


@functools.cache
def source_text(name: str, folder: Path = SHOP) -> str:
    path = folder / name
    if name in FAQ_FILES:
        return normalised(read_faq(path))
    readers = {".html": read_html, ".pdf": read_pdf, ".docx": read_docx}
    reader = readers.get(path.suffix, lambda plain: plain.read_text(encoding="utf-8"))
    return normalised(reader(path))


def normalised(text: str) -> str:
    return " ".join(text.lower().split())


def content_words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower())) - STOP_WORDS


def tags(query: Query) -> list[str]:
    """Return what the id says about a question, such as `["v09", "faq", "typo"]`."""
    return query["id"].split("-")


ALL = [(half, query) for half in HALVES for query in read_jsonl(HERE / half)]
QUERIES = [query for _, query in ALL]
ANSWERABLE = [query for query in QUERIES if query["answerable"]]
UNANSWERABLE = [query for query in QUERIES if not query["answerable"]]
each_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["id"])
each_answerable = pytest.mark.parametrize("query", ANSWERABLE, ids=lambda query: query["id"])


@pytest.mark.parametrize("half", HALVES)
def test_each_half_has_its_number_of_questions(half: str) -> None:
    counts = Counter(query["answerable"] for name, query in ALL if name == half)
    assert (counts[True], counts[False]) == HALVES[half]


def test_both_halves_are_built_alike() -> None:
    kinds = {
        half: Counter(t for name, q in ALL if name == half and q["answerable"] for t in tags(q)[1:]) for half in HALVES
    }
    assert kinds["queries.jsonl"] == kinds["set_aside.jsonl"]
    assert kinds["queries.jsonl"]["faq"] == kinds["queries.jsonl"]["long"] == 15


def test_ids_and_questions_are_unique() -> None:
    assert len({query["id"] for query in QUERIES}) == len(QUERIES)
    assert len({normalised(query["question"]) for query in QUERIES if not query["history"]}) == sum(
        not query["history"] for query in QUERIES
    )


@each_query
def test_query_has_exactly_the_agreed_shape(query: Query) -> None:
    assert set(query) == KEYS
    assert query["collection"] == "shop"
    assert isinstance(query["answerable"], bool)
    assert query["question"].strip()
    assert all(set(turn) == {"role", "content"} and turn["role"] in {"user", "assistant"} for turn in query["history"])
    assert all(set(item) == {"source", "quote"} for item in query["evidence"])
    assert all(fact and all(isinstance(alternative, str) for alternative in fact) for fact in query["facts"])


@each_answerable
def test_every_quote_stands_in_its_source(query: Query) -> None:
    assert query["evidence"]
    for item in query["evidence"]:
        assert normalised(item["quote"]) in source_text(item["source"]), item


@each_answerable
def test_every_fact_stands_in_a_source_named_as_evidence(query: Query) -> None:
    assert query["facts"]
    texts = [source_text(item["source"]) for item in query["evidence"]]
    for fact in query["facts"]:
        assert any(normalised(alternative) in text for alternative in fact for text in texts), fact


@each_answerable
def test_id_says_where_the_answer_stands(query: Query) -> None:
    in_faq = any(item["source"] in FAQ_FILES for item in query["evidence"])
    assert tags(query)[1] == ("faq" if in_faq else "long")


@each_answerable
def test_id_says_whether_it_is_a_follow_up_or_two_in_one(query: Query) -> None:
    assert ("followup" in tags(query)) == bool(query["history"])
    assert ("two" in tags(query)) == (len(query["facts"]) > 1)


@pytest.mark.parametrize("query", UNANSWERABLE, ids=lambda query: query["id"])
def test_unanswerable_question_has_no_evidence(query: Query) -> None:
    assert query["evidence"] == []
    assert query["facts"] == []


@each_query
def test_question_does_not_reuse_the_words_of_an_entry(query: Query) -> None:
    words = content_words(query["question"])
    assert words
    for entry, _ in faq_entries():
        shared = words & content_words(entry)
        assert len(shared) / len(words) <= MAX_SHARED, (entry, shared)


def test_knowledge_base_has_the_promised_size() -> None:
    entries = faq_entries()
    assert len(entries) >= 60
    assert len({normalised(question) for question, _ in entries}) == len(entries)
    long_documents = [path for path in SHOP.iterdir() if path.name not in FAQ_FILES]
    assert Counter(path.suffix for path in long_documents) == {".md": 3, ".html": 2, ".txt": 2, ".pdf": 2, ".docx": 2}
    for path in long_documents:
        assert 400 <= len(source_text(path.name).split()) <= 1200, path.name


def test_built_documents_hold_the_text_of_the_build_script(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(EXAMPLES / "build_shop.py"), "--out", str(tmp_path)], check=True, timeout=60)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {path.name for path in SHOP.iterdir() if path.suffix in {".pdf", ".docx"}}
    for name in names:
        assert source_text(name, tmp_path) == source_text(name), f"{name} is stale: run examples/build_shop.py"
