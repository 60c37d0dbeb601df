"""The files in deploy/ are well-formed, and name only commands, options and settings that exist."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from api.cli import app
from api.settings import Settings, setting_names

_ROOT = Path(__file__).resolve().parent.parent
_DEPLOY = _ROOT / "deploy"
_UNITS = sorted((_DEPLOY / "systemd").iterdir())
_FILES = [path for path in sorted(_DEPLOY.rglob("*")) if path.is_file()]


def _unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read(path, encoding="utf-8")
    return parser


def _cron_job() -> Any:
    return yaml.safe_load((_DEPLOY / "kubernetes" / "reindex-cronjob.yaml").read_text(encoding="utf-8"))


def _calls(text: str) -> list[list[str]]:
    """The words after ``answerdesk`` of every call in a file that is run, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = re.findall(r"(?:bin/|\")answerdesk ((?:[a-z-]+ ?)+)", "\n".join(lines))
    return [shlex.split(call) for call in found]


def _require_known(call: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    words = iter(call)
    while isinstance(command, TyperGroup):
        command = command.commands[next(words)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(words) <= options


def test_every_command_and_option_exists() -> None:
    calls = [call for path in _FILES if path.suffix != ".md" for call in _calls(path.read_text(encoding="utf-8"))]
    assert ["serve"] in calls
    assert calls.count(["reindex", "--json"]) == 3
    for call in calls:
        _require_known(call)
    with pytest.raises(AssertionError):
        _require_known(["reindex", "--nightly"])


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_setting_exists(path: Path) -> None:
    named = set(re.findall(r"ANSWERDESK_\w+", path.read_text(encoding="utf-8")))
    assert named <= set(setting_names())


def test_timer_starts_the_service_that_is_there_once_a_night() -> None:
    timer = _unit(_DEPLOY / "systemd" / "answerdesk-reindex.timer")
    assert timer["Timer"]["Persistent"] == "true"
    service = _unit(_DEPLOY / "systemd" / "answerdesk-reindex.service")  # a timer starts the service of its name
    assert (service["Service"]["Type"], service["Service"]["SuccessExitStatus"]) == ("oneshot", "3")


def test_server_beside_the_timer_leaves_the_night_to_it() -> None:
    server = (_DEPLOY / "systemd" / "answerdesk.service").read_text(encoding="utf-8")
    [value] = re.findall(r"ANSWERDESK_NIGHTLY_AT=(\S+)", server)
    assert Settings(nightly_at=value).nightly_at == "off"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for path in _UNITS:  # the program is not at its place here, and there is no such user
        text = path.read_text(encoding="utf-8").replace("/srv/answerdesk/.venv/bin/answerdesk", sys.executable)
        (tmp_path / path.name).write_text(text.replace("User=answerdesk\n", ""), encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / path.name) for path in _UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    ours = [line for line in done.stderr.splitlines() if "answerdesk" in line]
    assert (done.returncode, ours) == (0, [])


def test_cron_job_runs_one_at_a_time_and_takes_a_running_one_for_success() -> None:
    job = _cron_job()
    assert (job["apiVersion"], job["kind"], job["spec"]["concurrencyPolicy"]) == ("batch/v1", "CronJob", "Forbid")
    assert re.fullmatch(r"(\S+ ){4}\S+", job["spec"]["schedule"])
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    shell = container["command"][2]
    for code, accepted in ((0, 0), (1, 1), (3, 0)):
        tried = shell.replace("answerdesk reindex --json", f"(exit {code})")
        assert subprocess.run(["/bin/sh", "-c", tried], check=False).returncode == accepted


def test_cron_line_has_a_user_and_five_fields() -> None:
    [line] = [text for text in (_DEPLOY / "cron" / "answerdesk").read_text().splitlines() if not text.startswith("#")]
    assert re.match(r"(?:[\d*/,-]+ ){5}answerdesk cd /srv/answerdesk && ", line)
