"""Commands that need no model, in one data folder each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api import console_output as output
from api.cli import app
from api.commands.index import _enqueue_or_adopt
from domain.errors import AlreadyRunning
from domain.jobs import JobKind
from tests.api.conftest import Desk


def _run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"ANSWERDESK_DATA_DIR": str(folder / "data")})


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_second_file_of_a_name_is_refused_instead_of_replacing_the_first(tmp_path: Path) -> None:
    for shop in ("berlin", "paris"):
        _write(tmp_path / "docs" / shop / "returns.md", f"Returns in {shop} take 30 days.")
    result = _run(tmp_path, "ingest", str(tmp_path / "docs"), "--json")
    assert result.exit_code == 1
    assert "paris/returns.md has the same name as" in result.stderr
    assert [row["version"] for row in json.loads(result.stdout)["documents"]] == [1]


def test_hidden_files_and_folders_of_a_folder_are_left_out(tmp_path: Path) -> None:
    for name in ("returns.md", ".draft.md", ".venv/license.txt"):
        _write(tmp_path / "docs" / name, "Returns take 30 days.")
    result = _run(tmp_path, "ingest", str(tmp_path / "docs"), "--json")
    assert [row["source"] for row in json.loads(result.stdout)["documents"]] == ["returns.md"]


@pytest.mark.parametrize(
    "setting", [{"ANSWERDESK_DATA_DIR": "/proc/nowhere"}, {"ANSWERDESK_DATABASE_URL": "mysql://localhost/desk"}]
)
def test_unusable_place_for_the_data_is_told_without_a_traceback(tmp_path: Path, setting: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "documents", "list"],
        env={"ANSWERDESK_DATA_DIR": str(tmp_path), **setting},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert "Traceback" not in done.stderr


def test_worker_told_to_stop_by_a_signal_ends_cleanly_while_its_pipe_is_open() -> None:
    script = (
        "import threading, time; from api.commands.serving import _stop_at_end_of_input as watch\n"
        "threading.Thread(target=watch, args=(threading.Event(),), daemon=True).start(); time.sleep(0.3)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process:
        assert process.wait(120) == 0


def test_waiting_reindex_is_adopted(desk: Desk) -> None:
    usual = {"full": False, "promote": True}
    job_id = desk.services.jobs.enqueue(JobKind.REINDEX, usual, singleton=True).job_id
    assert _enqueue_or_adopt(desk.services, usual) == job_id


def test_reindex_of_a_killed_command_is_adopted_once_its_lease_has_run_out(desk: Desk) -> None:
    usual = {"full": False, "promote": True}
    job_id = _enqueue_or_adopt(desk.services, usual)
    killed = desk.services.jobs.claim([JobKind.REINDEX], "killed", lease_seconds=60)
    assert killed is not None
    with pytest.raises(AlreadyRunning):  # it may be at work
        _enqueue_or_adopt(desk.services, usual)
    desk.services.jobs.heartbeat(killed.job_id, killed.fence, lease_seconds=-1.0)
    assert _enqueue_or_adopt(desk.services, usual) == job_id


def test_table_that_a_program_reads_has_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("document", "reason"), [("0199", "a long reason " * 20), ("0200", None)], empty="")
    assert len(capsys.readouterr().out.splitlines()) == 3
