"""Checks of ``plain.jsonl``: what every shop is asked, in as few words as people use."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.golden.test_golden_files import HERE, KEYS, Query, normalised, read_jsonl, source_text

QUERIES = read_jsonl(HERE / "plain.jsonl")


def test_questions_are_short_and_none_is_asked_twice_in_one_place() -> None:
    assert Counter(query["answerable"] for query in QUERIES) == {True: 42, False: 10}
    assert len({query["id"] for query in QUERIES}) == len(QUERIES)
    assert len({(query["question"], str(query["history"])) for query in QUERIES}) == len(QUERIES)
    assert all(len(query["question"].split()) <= 11 for query in QUERIES)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["id"])
def test_evidence_and_facts_stand_in_the_documents(query: Query) -> None:
    assert set(query) == KEYS
    assert bool(query["evidence"]) == bool(query["facts"]) == query["answerable"]
    for item in query["evidence"]:
        assert normalised(item["quote"]) in source_text(item["source"]), item
    texts = [source_text(item["source"]) for item in query["evidence"]]
    for fact in query["facts"]:
        assert any(normalised(alternative) in text for alternative in fact for text in texts), fact
