from __future__ import annotations

import random
from typing import Any

from generator.train.reading import rows_of
from generator.train.reading_pages import Line, Page

LINES = tuple(
    Line(page, heading, f"{heading} sentence number {n} tells something about {word}.")
    for page, heading in (("Guide", "Tickets"), ("Guide", "Dogs"), ("Terms", "Refunds"))
    for n, word in enumerate(("prices", "children", "luggage", "evenings", "machines", "islands"))
)


def _rows(
    source: str, answers: tuple[int, ...], *, headings_tell: bool = False, times: int = 40
) -> list[dict[str, Any]]:
    rng = random.Random(3)
    page = Page(source, "page", LINES, (("what about luggage", "", answers),) * times, headings_tell)
    return list(rows_of(page, rng))


def _sentences(passage: dict[str, Any]) -> list[str]:
    return [passage["text"][start:end] for start, end in passage["sentences"]]


def test_spans_and_answers_point_at_the_sentences() -> None:
    for row in _rows("companies", (8,)):
        told = [sentence for passage in row["passages"] for sentence in _sentences(passage)]
        assert set(told) <= {line.text for line in LINES}
        assert len(told) == len(set(told))
        right = [_sentences(passage)[i] for passage in row["passages"] for i in passage["answers"]]
        assert right == [LINES[8].text]


def test_answer_stands_anywhere_in_its_passage_and_in_any_passage() -> None:
    rows = _rows("companies", (8,))
    places = {i for row in rows for passage in row["passages"] for i in passage["answers"]}
    sides = {n for row in rows for n, passage in enumerate(row["passages"]) if passage["answers"]}
    assert len(places) > 2
    assert sides == {0, 1, 2}


def test_passage_never_joins_two_documents() -> None:
    for row in _rows("companies", (11,)):
        for passage in row["passages"]:
            pages = {line.page for line in LINES if line.text in _sentences(passage)}
            assert len(pages) == 1


def test_question_without_an_answer_keeps_what_looks_right() -> None:
    for row in _rows("companies", ()):
        assert not any(passage["answers"] for passage in row["passages"])
        assert len(row["passages"]) >= 2


def test_answer_is_sometimes_taken_away_where_every_question_has_one() -> None:
    rows = _rows("medquad", (8,))
    gone = [row for row in rows if not any(passage["answers"] for passage in row["passages"])]
    assert 0 < len(gone) < len(rows) / 2
    assert not any(LINES[8].text in passage["text"] for row in gone for passage in row["passages"])


def test_heading_that_became_the_question_is_mostly_hidden() -> None:
    rows = _rows("medquad", (8,), headings_tell=True)
    shown = sum("Dogs\n\n" in p["text"] or "> Dogs" in p["lead"] for row in rows for p in row["passages"])
    assert 0 < shown < len(rows)


def test_question_to_a_company_sometimes_follows_one_that_it_has_nothing_to_do_with() -> None:
    asked = [("what about luggage", "", (8,)), ("when do you close", "", ()), ("in winter", "when do you close", ())]
    rows = list(rows_of(Page("companies", "page", LINES, tuple(asked * 40), False), random.Random(3)))
    before = {question: {r["context"] for r in rows if r["question"] == question} for question, _, _ in asked}
    assert before["what about luggage"] == {"", *(question for question, _, _ in asked)}
    assert before["in winter"] == {"when do you close"}
    fresh = [r for r in rows if r["question"] == "what about luggage"]
    assert sum(not r["context"] for r in fresh) > len(fresh) / 2
