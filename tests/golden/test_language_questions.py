"""Checks of ``languages.jsonl``: the same sixteen matters, asked in each language that has phrases of its own."""

from __future__ import annotations

from collections import defaultdict

import pytest

from domain.language import language_of
from generator.phrases import LANGUAGES
from tests.golden.test_golden_files import HERE, KEYS, Query, normalised, read_jsonl, source_text

QUERIES = read_jsonl(HERE / "languages.jsonl")


def test_every_language_asks_the_same_matters() -> None:
    matters: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    for query in QUERIES:
        language, _, matter = query["id"].partition("-")
        matters[language].append((matter, query["answerable"], str(query["evidence"]), str(query["facts"])))
    assert set(matters) == set(LANGUAGES)
    assert all(asked == matters["en"] for asked in matters.values())
    assert sum(query["answerable"] for query in QUERIES) == 12 * len(LANGUAGES)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["id"])
def test_question_is_in_its_language_and_its_evidence_in_the_documents(query: Query) -> None:
    assert set(query) == KEYS
    assert language_of(query["question"]) == query["id"][:2]
    assert bool(query["evidence"]) == bool(query["facts"]) == query["answerable"]
    for item in query["evidence"]:
        assert normalised(item["quote"]) in source_text(item["source"]), item
    texts = [source_text(item["source"]) for item in query["evidence"]]
    for fact in query["facts"]:
        assert any(normalised(alternative) in text for alternative in fact for text in texts), fact
