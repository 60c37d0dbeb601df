"""The command line as an operator uses it: real models, real SQLite, real files, one data folder all along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.bootstrap import build_services
from api.cli import app
from api.settings import Settings
from domain.jobs import JobKind, JobStatus
from tests.fakes import HashEmbedder

_RETURNS = """# Returns

## Deadlines

You can return an unused kettle within 45 days of delivery. Engraved kettles cannot be returned.

## Refunds

We refund the full price within six working days after the parcel has arrived at our workshop.
"""
_FAQ = "question,answer\nDo you repair kettles?,Yes. A repair costs 25 EUR and takes two weeks.\n"


class CommandLine:
    """Runs commands over one data folder."""

    def __init__(self, folder: Path) -> None:
        self._environment = {"ANSWERDESK_DATA_DIR": str(folder / "data"), "ANSWERDESK_RETRIEVER__THREADS": "1"}
        self._runner = CliRunner()

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        result = self._runner.invoke(app, list(arguments), env=self._environment)
        assert result.exit_code == exit_code, (arguments, result.output, result.exception)
        return result.stdout

    def facts(self, *arguments: str, exit_code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", exit_code=exit_code))

    def process(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """In an interpreter of its own, for what only the entry point decides: exit codes and messages of errors."""
        command = [sys.executable, "-m", "api.cli", *arguments]
        return subprocess.run(
            command, env={**self._environment, **environment}, capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    documents = folder / "documents"
    documents.mkdir()
    (documents / "returns.md").write_text(_RETURNS, encoding="utf-8")
    (documents / "faq.csv").write_text(_FAQ, encoding="utf-8")
    (documents / "setup.exe").write_bytes(b"MZ\x90\x00")
    return folder


@pytest.fixture(scope="module")
def desk(folder: Path) -> CommandLine:
    desk = CommandLine(folder)
    ledger = desk.facts("ingest", str(folder / "documents"), "--collection", "kettles", "--wait")
    assert {row["source"]: row["status"] for row in ledger["documents"]} == {"faq.csv": "ready", "returns.md": "ready"}
    return desk


def test_a_file_of_an_unknown_type_is_refused_and_the_rest_is_kept(desk: CommandLine, folder: Path) -> None:
    before = len(desk.facts("documents", "list")["documents"])
    desk.facts("ingest", str(folder / "documents" / "setup.exe"), "--wait", exit_code=1)
    assert len(desk.facts("documents", "list")["documents"]) == before


def test_search_finds_the_passage_with_its_scores(desk: CommandLine) -> None:
    found = desk.facts("search", "when do I get my money back", "--top-k", "1")
    assert "six working days" in found["passages"][0]["text"]
    assert len(found["passages"]) == 1


def test_answer_is_proved_recorded_and_verifiable(desk: CommandLine) -> None:
    answer = desk.facts("ask", "How many days do I have to return a kettle?")
    assert answer["status"] == "answered"
    assert "45 days" in answer["text"]
    citation = answer["citations"][0]
    assert citation["source"] == "returns.md"
    assert "45 days" in citation["quote"]
    checks = desk.facts("verify", answer["answer_id"])
    assert [check["intact"] for check in checks["citations"]] == [True] * len(answer["citations"])


def test_what_the_documents_do_not_say_is_refused(desk: CommandLine) -> None:
    answer = desk.facts("ask", "Do you sell bicycles in Portugal?")
    assert answer["status"] == "refused"
    assert answer["citations"] == []


def test_reindex_promotes_reuses_vectors_and_rolls_back(desk: CommandLine) -> None:
    first = desk.facts("reindex")
    second = desk.facts("reindex")
    assert second["embedded"] == 0
    assert second["passages"] == first["passages"] > 0
    generations = desk.facts("generations", "list")["generations"]
    assert [row["generation_id"] for row in generations if row["is_live"]] == [second["generation_id"]]
    desk.run("generations", "rollback")
    live = [row for row in desk.facts("generations", "list")["generations"] if row["is_live"]]
    assert [row["generation_id"] for row in live] == [first["generation_id"]]


def test_reindex_that_a_killed_command_left_goes_first_where_its_options_differ(
    desk: CommandLine, folder: Path
) -> None:
    services = build_services(Settings(data_dir=folder / "data"), embedder=HashEmbedder())
    left = services.jobs.enqueue(JobKind.REINDEX, {"full": True, "promote": False}, singleton=True)
    assert desk.facts("reindex")["promoted"] is True
    assert services.jobs.get(left.job_id).status is JobStatus.SUCCEEDED
    services.close()


def test_deleted_document_is_not_answered_from_any_more(desk: CommandLine, folder: Path) -> None:
    extra = folder / "gifts.txt"
    extra.write_text("Gift wrapping with a linen ribbon costs 4 EUR an item.", encoding="utf-8")
    ledger = desk.facts("ingest", str(extra), "--wait")
    question = "What does gift wrapping with a ribbon cost?"
    assert "4 EUR" in desk.facts("ask", question)["text"]
    desk.run("documents", "delete", ledger["documents"][0]["document_id"])
    assert "4 EUR" not in desk.facts("ask", question)["text"]


def test_evaluation_judges_retrieval_and_answers_against_gold(desk: CommandLine, tmp_path: Path) -> None:
    answerable = {
        "id": "a",
        "question": "How many days do I have to return a kettle?",
        "evidence": [{"source": "returns.md", "quote": "within 45 days of delivery"}],
        "facts": [["45 days"]],
        "answerable": True,
    }
    unanswerable = {"id": "b", "question": "Who won the cup?", "evidence": [], "facts": [], "answerable": False}
    queries = tmp_path / "queries.jsonl"
    queries.write_text("\n".join(map(json.dumps, (answerable, unanswerable))), encoding="utf-8")
    report = desk.facts("evaluate", str(queries), "--answers")
    assert report["retrieval"]["recall@5"]["mean"] == 1.0
    overall = report["answers"]["overall"]
    assert [overall[name]["mean"] for name in ("answered_share", "refused_share", "facts")] == [1.0, 1.0, 1.0]


def test_broken_line_of_golden_questions_is_named(desk: CommandLine, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"id": "a"}\n', encoding="utf-8")
    done = desk.process("evaluate", str(queries))
    assert done.returncode == 1
    assert "queries.jsonl, line 1" in done.stderr


def test_key_is_shown_once_and_revoked(desk: CommandLine) -> None:
    made = desk.facts("key", "create", "--role", "staff", "--label", "front desk")
    assert made["key"] not in desk.run("key", "list", "--json")
    desk.run("key", "revoke", made["prefix"])
    revoked = {row["prefix"]: row["revoked_at"] for row in desk.facts("key", "list")["keys"]}
    assert revoked[made["prefix"]] is not None


def test_doctor_finds_no_fault_and_sees_the_composing_model(desk: CommandLine) -> None:
    findings = desk.facts("doctor")["findings"]
    assert [finding for finding in findings if finding["level"] == "fault"] == []
    assert {"check": "language model", "level": "ok"}.items() <= findings[-1].items()


def test_misspelt_setting_ends_with_the_remedy_and_no_traceback(desk: CommandLine) -> None:
    done = desk.process("doctor", ANSWERDESK_RETREIVER__TOP_K="8")
    assert done.returncode == 1
    assert "Did you mean ANSWERDESK_RETRIEVER__TOP_K?" in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_document_ends_with_the_remedy_and_no_traceback(desk: CommandLine) -> None:
    done = desk.process("documents", "show", "nowhere")
    assert done.returncode == 1
    assert "not found" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_missing_model_folder_is_told_and_answers_are_quoted(desk: CommandLine) -> None:
    done = desk.process("ask", "Do you repair kettles?", "--json", ANSWERDESK_GENERATOR__MODEL="/nowhere/gpt2")
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "answered"
    assert "/nowhere/gpt2" in done.stderr


def test_second_reindex_ends_with_code_3_and_the_running_id(desk: CommandLine, folder: Path) -> None:
    services = build_services(Settings(data_dir=folder / "data"), embedder=HashEmbedder())
    services.jobs.enqueue(JobKind.REINDEX, {"full": False, "promote": True}, singleton=True)
    running = services.jobs.claim([JobKind.REINDEX], "another worker")
    assert running is not None
    done = desk.process("reindex", "--json")
    assert done.returncode == 3
    assert running.job_id in done.stderr
    assert done.stdout == ""
    services.jobs.succeed(running.job_id, running.fence, {})
    services.close()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("is it the and of", None),
        ("🙂🎉", None),
        ("lamp " * 2000, "10000 characters"),
        (b"return \xff\xfe it", None),  # bytes that are no UTF-8 arrive as lone surrogates
        ("", "empty"),
    ],
)
def test_odd_queries_find_something_or_are_refused_in_two_lines(
    desk: CommandLine, query: str | bytes, reason: str | None
) -> None:
    done = desk.process("search", query if isinstance(query, str) else os.fsdecode(query), "--json")
    assert "Traceback" not in done.stderr
    if reason is None:
        assert done.returncode == 0
        json.loads(done.stdout)
    else:
        assert done.returncode == 1
        assert reason in done.stderr
        assert len(done.stderr.splitlines()) == 2
