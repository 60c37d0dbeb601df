"""``answerdesk serve`` with several HTTP processes, as an operator starts it: real processes, a real port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.bootstrap import build_services
from api.settings import Settings
from tests.fakes import HashEmbedder
from tests.tiny_gpt2 import write_tiny_gpt2

_START_SECONDS = 150  # each process imports torch; a loaded machine takes its time


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    address: str
    data_dir: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for the module, since starting it costs most of the time; the last test kills it."""
    folder = tmp_path_factory.mktemp("serving")
    environment = {"ANSWERDESK_DATA_DIR": str(folder), "ANSWERDESK_GENERATOR__MODEL": str(folder / "none")}
    command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--workers", "2", "--no-worker"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield Server(process, _address(process), folder)
        process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
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


def _language_models(server: Server) -> set[str | None]:
    """What the processes say that they answer with: twenty new connections reach both of two."""
    answers = [httpx.get(f"{server.address}/readyz", timeout=_START_SECONDS).json() for _ in range(20)]
    return {answer["checks"]["language_model"].get("name") for answer in answers}


@pytest.mark.timeout(600)
def test_every_process_picks_up_a_model_that_another_program_promoted(server: Server, tmp_path: Path) -> None:
    assert _language_models(server) == {None}  # none: there is no folder of the configured name
    services = build_services(Settings(data_dir=server.data_dir), embedder=HashEmbedder())
    trained = write_tiny_gpt2(tmp_path / "trained")
    model_id = services.models.promote(services.publish_model(trained, {}).model_id, force=True).model_id
    services.close()
    deadline = time.monotonic() + 60
    while (names := _language_models(server)) != {model_id} and time.monotonic() < deadline:
        time.sleep(0.2)
    assert names == {model_id}


@pytest.mark.timeout(300)
def test_printed_address_answers_and_no_process_outlives_a_killed_server(server: Server) -> None:
    assert not server.address.endswith(":0")
    assert httpx.get(f"{server.address}/livez", timeout=_START_SECONDS).json() == {"status": "alive"}
    os.kill(server.process.pid, signal.SIGKILL)
    assert _is_gone(server.address, 60)
