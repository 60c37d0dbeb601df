"""Suite-wide rules: no test leaves the machine, and in CI no real PostgreSQL or browser test may be skipped."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections import Counter

import pytest

_REAL_PARTS = ("postgres", "browser")  # markers of the tests that need a part which a laptop may lack
_outcomes: Counter[tuple[str, str]] = Counter()


def _is_loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test that connects elsewhere; psycopg connects in C and is held to loopback by its own URLs."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if not _is_loopback(address):
            pytest.fail(f"A test tried to reach {address!r}; only loopback addresses are allowed.")
        connect(self, address)  # type: ignore[arg-type]  # the address types depend on the socket family

    monkeypatch.setattr(socket.socket, "connect", guarded)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.skipped:
        for marker in _REAL_PARTS:
            if marker in report.keywords:
                _outcomes[marker, report.outcome] += 1


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped real part is a failure, unless the run was narrowed to some tests by hand."""
    if os.environ.get("CI") != "true" or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    missing = [m for m in _REAL_PARTS if _outcomes[m, "skipped"] or not _outcomes[m, "passed"]]
    if missing and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for marker in _REAL_PARTS:
        skipped = _outcomes[marker, "skipped"]
        if skipped:
            terminalreporter.write_line(f"{skipped} tests marked {marker} were SKIPPED; see the reasons above.")
