from __future__ import annotations

from pathlib import Path

from benchmarks._asking import Record, RecordFile
from benchmarks._figures import answer_figures, comparisons, refusal_figures
from generator.evaluation import AnswerFigures


def _figures(name: str, f1: float = 0.5, path: str = "generated", right: int = 0) -> AnswerFigures:
    answered = path != "refusal"
    return AnswerFigures(name, True, answered, path, f1, True, right, int(answered), 1.0, 0.6, 0.2)


def _record(
    name: str,
    f1: float = 0.5,
    path: str = "generated",
    overlapping: int = 1,
    kind: str = "opening",
    quoted: float = 0.4,
) -> Record:
    figures = _figures(name, f1, path)
    peer = _figures(name, quoted, "extractive")
    parts = ({"path": path, "value": 0.6},)
    return Record(name, "Fees#1_0", kind, False, figures, 1, overlapping, True, ("p1",), parts, peer, 0.25, 0.9)


def test_records_come_back_from_the_file_and_a_fresh_run_forgets_them(tmp_path: Path) -> None:
    on_file = RecordFile(tmp_path / "deep" / "records.jsonl", resume=False)
    kept = on_file.add(_record("a"))
    again = RecordFile(tmp_path / "deep" / "records.jsonl", resume=True)
    assert again.known == {"a": kept}
    assert RecordFile(tmp_path / "deep" / "records.jsonl", resume=False).known == {}


def test_half_a_line_of_a_killed_run_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    on_file = RecordFile(path, resume=False)
    on_file.add(_record("a"))
    with path.open("a", encoding="utf-8") as lines:
        lines.write('{"id": "b", "docu')
    resumed = RecordFile(path, resume=True)
    assert set(resumed.known) == {"a"}
    resumed.add(_record("b"))
    assert set(RecordFile(path, resume=True).known) == {"a", "b"}


def test_figures_are_given_by_kind_and_path_with_what_gold_spans_add() -> None:
    records = [_record("a", 0.8), _record("b", 0.0, "refusal", 0, "follow_up"), _record("c", 0.4, "extractive", 0)]
    groups = answer_figures(records)
    assert (groups["all"]["queries"], groups["opening"]["queries"], groups["reply"]["queries"]) == (3, 2, 0)
    assert groups["all"]["overall"]["f1"]["mean"] == (0.8 + 0.0 + 0.4) / 3
    assert groups["all"]["overall"]["citation_overlap"]["mean"] == 0.5  # of the two that cite
    assert groups["all"]["by_path"]["generated"]["f1"]["mean"] == 0.8
    assert groups["all"]["by_path"]["generated"]["citation_overlap"]["mean"] == 1.0


def test_peers_are_compared_on_the_questions_that_both_answered() -> None:
    records = [_record("a", 0.8), _record("b", 0.0, "refusal", 0), _record("c", 0.4, "extractive")]
    found = comparisons(records, {"a": 0.1})["all"]
    assert (found["quoting"]["difference"]["n"], found["quoting_where_generated"]["difference"]["n"]) == (3, 1)
    assert found["quoting_where_generated"]["ratio"]["mean"] == 2.0
    assert found["smollm"]["theirs"] == 0.1
    assert comparisons(records, {})["all"]["smollm"] is None


def test_answering_without_the_document_is_wrong_whatever_is_quoted() -> None:
    records = [_record("a"), _record("b", path="refusal", overlapping=0)]
    without = [_record("a", overlapping=0), _record("b", path="refusal", overlapping=0)]
    figures = refusal_figures(records, without)
    assert figures["refused_share"]["mean"] == figures["answered_share"]["mean"] == 0.5
    assert figures["auc"] == 0.5
    assert figures["curve"] == [{"threshold": 0.6, "coverage": 0.5, "precision": 0.5}]
