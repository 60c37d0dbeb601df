from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from api.hosts import is_loopback
from api.server import PortInUse, WorkerSupervisor, require_free_port, require_safe_binding
from domain.errors import SettingsInvalid

_APPEND_AND_DIE = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.open('a').write('x')"
_APPEND_AND_WAIT = _APPEND_AND_DIE + "; sys.stdin.read(); p.open('a').write('end')"


def _eventually(path: Path, content: str, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and path.read_text() == content:
            return True
        time.sleep(0.05)
    return False


def test_dead_worker_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = WorkerSupervisor((sys.executable, "-c", _APPEND_AND_DIE, str(log)), restart_seconds=0.05)
    supervisor.start()
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (not log.exists() or len(log.read_text()) < 3):
            time.sleep(0.05)
        assert len(log.read_text()) >= 3
    finally:
        supervisor.stop()
    ended = len(log.read_text())
    time.sleep(0.3)
    assert len(log.read_text()) == ended


def test_stopping_closes_the_pipe_so_that_the_worker_can_finish(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = WorkerSupervisor((sys.executable, "-c", _APPEND_AND_WAIT, str(log)))
    supervisor.start()
    assert _eventually(log, "x")
    supervisor.stop()
    assert _eventually(log, "xend")


def test_worker_does_not_get_the_interrupt_of_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_group = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(str(os.getpgrp())); sys.stdin.read()"
    supervisor = WorkerSupervisor((sys.executable, "-c", write_group, str(log)))
    supervisor.start()
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (log.exists() and log.read_text()):
            time.sleep(0.05)
        assert int(log.read_text()) != os.getpgrp()
    finally:
        supervisor.stop()


def test_supervisor_that_never_started_can_be_stopped() -> None:
    WorkerSupervisor((sys.executable, "-c", "")).stop()


def test_port_in_use_is_told_with_another_port_to_try() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            require_free_port("127.0.0.1", port)
    assert str(port) in caught.value.detail
    assert f"--port {port + 1}" in caught.value.remedy


def test_server_that_others_can_reach_needs_a_key_first() -> None:
    with pytest.raises(SettingsInvalid, match="key create"):
        require_safe_binding("0.0.0.0", has_key=False)
    require_safe_binding("0.0.0.0", has_key=True)
    require_safe_binding("127.0.0.1", has_key=False)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("desk.example", False)],
)
def test_loopback_addresses(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
