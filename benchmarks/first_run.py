"""What a newcomer waits for: a fresh clone, `make run` to the first answer, and `make run` again.

    python -m benchmarks.first_run [--test] [--download]

`--test` also times `make test` in the clone, `--download` adds up the packages that pip fetches. Needs git, make and
the package index; writes benchmarks/results/first_run.json. The clone is of the last commit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_PORT = 8765
_BASE = f"http://127.0.0.1:{_PORT}"
_QUESTION = "How long does the Otter run on one charge?"
_PATIENCE = 3600.0  # seconds that anything may take


class Running:
    """`make run` in a clone: its output is watched for the addresses, its processes for their peak memory."""

    def __init__(self, clone: Path) -> None:
        self.started = time.perf_counter()
        self.lines: list[str] = []
        environment = {**os.environ, "ANSWERDESK_API__PORT": str(_PORT)}
        self._process = subprocess.Popen(
            ["make", "run"],
            cwd=clone,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    def seconds_until(self, reached: Callable[[], bool]) -> float:
        while not reached():
            if self._process.poll() is not None or time.perf_counter() - self.started > _PATIENCE:
                raise SystemExit("make run did not get there:\n" + "\n".join(self.lines[-20:]))
            time.sleep(0.1)
        return time.perf_counter() - self.started

    def announced(self) -> bool:
        return any(line.startswith("Console") for line in self.lines)

    def peak_memory_mb(self) -> dict[str, float]:
        """Peak resident memory by role, from /proc (Linux)."""
        peaks: dict[str, float] = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                command = (status.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                same_session = os.getsid(int(status.parent.name)) == self._process.pid
            except (OSError, ProcessLookupError):
                continue
            role = "worker" if " worker" in command else "server" if " serve" in command else None
            if same_session and role and "VmHWM" in fields:
                peaks[role] = max(peaks.get(role, 0.0), int(fields["VmHWM"].split()[0]) / 1024)
        return {role: round(peak) for role, peak in peaks.items()}

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(60)


def call(path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(_BASE + path, data, headers), timeout=60) as reply:
        return json.load(reply)


def first_answer(token: str) -> bool:
    """True once the sample shop answers the question with a citation."""
    answer = call("/v1/chat/completions", {"messages": [{"role": "user", "content": _QUESTION}]}, token)["answerdesk"]
    return bool(answer["citations"]) and "9 hours" in answer["text"]


def measure(clone: Path) -> dict[str, Any]:
    run = Running(clone)
    listening = run.seconds_until(run.announced)
    token = call("/v1/session", {})["token"]
    answered = run.seconds_until(lambda: first_answer(token))
    key = next(line.partition("#key=")[2] for line in run.lines if "#key=" in line)

    def all_ready() -> bool:
        return {d["status"] for d in call("/v1/documents", token=key)["documents"]} == {"ready"}

    ready = run.seconds_until(all_ready)
    memory = run.peak_memory_mb()
    run.stop()
    again = Running(clone)
    second = again.seconds_until(again.announced)
    again.stop()
    return {
        "first_run_to_listening_s": round(listening, 1),
        "first_run_to_first_answer_s": round(answered, 1),
        "first_run_to_all_documents_ready_s": round(ready, 1),
        "second_run_to_listening_s": round(second, 1),
        "peak_memory_mb": memory,
        "environment_mb": folder_mb(clone / ".venv"),
        "clone_mb": folder_mb(clone) - folder_mb(clone / ".venv") - folder_mb(clone / "data"),
        "data_mb": folder_mb(clone / "data"),
    }


def folder_mb(path: Path) -> int:
    return round(sum(f.stat().st_size for f in path.rglob("*") if f.is_file() and not f.is_symlink()) / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", action="store_true", help="also time make test")
    parser.add_argument("--download", action="store_true", help="also add up what pip fetches")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
    }
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "answerdesk"
        subprocess.run(["git", "clone", "--quiet", str(_ROOT), str(clone)], check=True)
        result |= measure(clone)
        if options.test:
            started = time.perf_counter()
            subprocess.run(["make", "test"], cwd=clone, check=True, stdout=sys.stderr)
            result["make_test_s"] = round(time.perf_counter() - started)
        if options.download:
            wheels = Path(folder) / "wheels"
            command = [".venv/bin/pip", "download", "-q", "-d", str(wheels), "-c", "constraints.txt", "."]
            subprocess.run(command, cwd=clone, check=True, stdout=sys.stderr)
            result["download_mb"] = folder_mb(wheels)
            shutil.rmtree(wheels)
    path = _ROOT / "benchmarks" / "results" / "first_run.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
