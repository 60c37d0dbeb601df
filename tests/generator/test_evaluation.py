from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.chat import Answer, AnswerPath, AnswerStatus, Citation, Sentence
from domain.errors import InvalidInput
from generator.evaluation import (
    GoldenQuery,
    GoldEvidence,
    load_queries,
    measure,
    summarise,
)

QUERY = {
    "id": "q1",
    "question": "how long can I send it back",
    "history": [{"role": "user", "content": "I bought a lamp"}],
    "collection": None,
    "evidence": [{"source": "returns.md", "quote": "You may return items within 45 days."}],
    "facts": [["45 days", "forty-five days"]],
    "answerable": True,
}
GOLD = GoldenQuery(
    "q1", "?", (), None, (GoldEvidence("returns.md", "You may return items within 45 days."),), (("45 days",),), True
)


def _write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def _answer(text: str, quote: str, status: AnswerStatus = AnswerStatus.ANSWERED) -> Answer:
    citation = Citation(1, "d", "returns.md", "Returns", 1, "p", 0, len(quote), quote, "", 0.5)
    sentences = (Sentence(text, (1,)),) if status is AnswerStatus.ANSWERED else (Sentence(text, ()),)
    path = AnswerPath.GENERATED if status is AnswerStatus.ANSWERED else AnswerPath.REFUSAL
    citations = (citation,) if status is AnswerStatus.ANSWERED else ()
    return Answer("a", text, status, path, 0.7, sentences, citations, None, None)


def test_queries_are_read_with_history_and_facts(tmp_path: Path) -> None:
    (query,) = load_queries(_write(tmp_path / "q.jsonl", QUERY))
    assert query.history[0].content == "I bought a lamp"
    assert query.facts == (("45 days", "forty-five days"),)
    assert query.gold_text == "You may return items within 45 days."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answerable": "yes"}, "answerable"),
        ({"question": " "}, "question"),
        ({"evidence": []}, "evidence"),
        ({"evidence": [{"source": "a"}]}, "quote"),
        ({"facts": ["45 days"]}, "facts"),
        ({"history": [{"role": "customer", "content": "x"}]}, "customer"),
    ],
)
def test_bad_line_is_named_with_its_number(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=rf"q\.jsonl, line 2: .*{message}"):
        load_queries(_write(tmp_path / "q.jsonl", QUERY, QUERY | change))


def test_missing_field_broken_json_and_empty_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="lacks 'id'"):
        load_queries(_write(tmp_path / "q.jsonl", {k: v for k, v in QUERY.items() if k != "id"}))
    (tmp_path / "broken.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match="line 1"):
        load_queries(tmp_path / "broken.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no questions"):
        load_queries(tmp_path / "empty.jsonl")


def test_visible_golden_questions_load() -> None:
    queries = load_queries(Path(__file__).parent.parent / "golden" / "queries.jsonl")
    assert len(queries) == 42


def test_right_answer_scores_full_marks() -> None:
    quote = "You may return items within 45 days."
    figures = measure(GOLD, _answer(quote, quote), 0.1)
    assert figures.f1 == 1.0
    assert figures.facts is True
    assert (figures.citations_right, figures.citations_verbatim, figures.citations) == (1, 1, 1)
    assert figures.support == 1.0


def test_wrong_citation_and_missing_fact_count() -> None:
    figures = measure(GOLD, _answer("Lamps last 10 years.", "Lamps last 10 years."), 0.1)
    assert figures.facts is False
    assert figures.citations_right == 0


def test_refusal_scores_no_f1_and_cites_nothing() -> None:
    figures = measure(GOLD, _answer("45 days? I could not find it.", "", AnswerStatus.REFUSED), 0.1)
    assert (figures.f1, figures.facts, figures.citations, figures.support) == (0.0, False, 0, None)


def test_report_separates_paths_and_refusals() -> None:
    quote = "You may return items within 45 days."
    unanswerable = GoldenQuery("q2", "?", (), None, (), (), False)
    report = summarise(
        [
            measure(GOLD, _answer(quote, quote), 0.1),
            measure(GOLD, _answer("no", "", AnswerStatus.REFUSED), 0.3),
            measure(unanswerable, _answer("no", "", AnswerStatus.REFUSED), 0.2),
            measure(unanswerable, _answer(quote, quote), 0.2),
        ]
    )
    assert report.paths == {"generated": 2, "refusal": 2}
    assert report.overall["answered_share"].mean == 0.5
    assert report.overall["refused_share"].mean == 0.5
    assert report.overall["facts_when_answered"].mean == 1.0
    assert report.overall["citation_precision"].mean == 0.5  # an answer to what has no answer cites nothing right
    assert report.by_path["generated"]["f1"].mean == 1.0
    assert json.loads(json.dumps(report.to_dict()))["queries"] == 4
