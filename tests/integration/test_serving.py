"""``answerdesk serve`` with several HTTP processes, as an operator starts it: real processes, a real port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.bootstrap import build_services
from api.settings import Settings
from tests.fakes import HashEmbedder
from tests.tiny_gpt2 import write_tiny_gpt2

_START_SECONDS = 150  # each process imports torch; a loaded machine takes its time


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {"ANSWERDESK_DATA_DIR": str(tmp_path), "ANSWERDESK_GENERATOR__MODEL": str(tmp_path / "none")}
    command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--workers", "2", "--no-worker"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"Chat +(http\S+)/", line):
            return found[1]
    raise AssertionError("the server never said where it listens")


def _is_gone(address: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{address}/livez", timeout=5)
        except httpx.TransportError:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.timeout(300)
def test_printed_address_answers_and_no_process_outlives_a_killed_server(server: subprocess.Popen[str]) -> None:
    address = _address(server)
    assert not address.endswith(":0")
    assert httpx.get(f"{address}/livez", timeout=_START_SECONDS).json() == {"status": "alive"}
    os.kill(server.pid, signal.SIGKILL)
    assert _is_gone(address, 60)


@pytest.mark.timeout(300)
def test_every_process_picks_up_a_model_that_another_program_promoted(
    server: subprocess.Popen[str], tmp_path: Path
) -> None:
    address = _address(server)
    assert _language_models(address) == {None}  # none: there is no folder of the configured name
    services = build_services(Settings(data_dir=tmp_path), embedder=HashEmbedder())
    trained = write_tiny_gpt2(tmp_path / "trained")
    model_id = services.models.promote(services.publish_model(trained, {}).model_id, force=True).model_id
    services.close()
    deadline = time.monotonic() + 60
    while (names := _language_models(address)) != {model_id} and time.monotonic() < deadline:
        time.sleep(0.2)
    assert names == {model_id}
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0


def _language_models(address: str) -> set[str | None]:
    """What the processes say that they answer with: twenty new connections reach both of two."""
    answers = [httpx.get(f"{address}/readyz", timeout=_START_SECONDS).json() for _ in range(20)]
    return {answer["checks"]["language_model"].get("name") for answer in answers}
