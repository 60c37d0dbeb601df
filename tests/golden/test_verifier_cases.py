"""Checks that keep the hand-written cases of the verifier honest (see docs/verifier.md)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.golden.test_golden_files import HERE, normalised, read_jsonl, source_text

CASES = read_jsonl(HERE / "verifier.jsonl")
FAITHFUL = {"paraphrase", "compression", "reply"}


def test_both_sides_are_well_covered() -> None:
    counts = Counter(case["faithful"] for case in CASES)
    assert min(counts.values()) >= 60
    assert len(CASES) >= 120


def test_ids_and_cases_are_unique() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert len({(case["evidence"], case["sentence"]) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case_has_the_agreed_shape_and_real_evidence(case: dict[str, Any]) -> None:
    assert set(case) == {"id", "source", "evidence", "sentence", "family", "faithful"}
    assert case["faithful"] == (case["family"] in FAITHFUL)
    assert normalised(case["evidence"]) in source_text(case["source"])
