"""Checks of ``near_misses/``: two invented companies, and as many questions that their documents leave open as not."""

from __future__ import annotations

import pytest

from tests.golden.test_golden_files import HERE, KEYS, Query, normalised, read_jsonl

FOLDER = HERE / "near_misses"
QUERIES = read_jsonl(FOLDER / "queries.jsonl")


def test_answers_and_near_misses_are_about_as_many_for_each_company() -> None:
    for company in ("bookkeeping", "pottery"):
        asked = [query for query in QUERIES if query["collection"] == company]
        open_ones = sum(not query["answerable"] for query in asked)
        assert len(asked) > 70
        assert abs(2 * open_ones - len(asked)) <= 2
    assert len({query["id"] for query in QUERIES}) == len(QUERIES)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["id"])
def test_evidence_stands_in_the_company_s_documents(query: Query) -> None:
    assert set(query) == KEYS
    assert bool(query["evidence"]) == query["answerable"]
    for item in query["evidence"]:
        text = (FOLDER / query["collection"] / item["source"]).read_text(encoding="utf-8")
        assert normalised(item["quote"]) in normalised(text), item
