"""What the browser tests stand on: a running server, and a visit that notes what a page should never do."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import ConsoleMessage, Dialog, Page

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_FOLDER = ROOT / "examples" / "shop"
START_SECONDS = 240  # two cores may be busy with something else while the models load
READY_SECONDS = 120
FIRST_KEY = re.compile(r"/console#key=(ad_[\w-]+)")
# The browser writes this line for every refused request, also for refusals that a test asks for.
REFUSED_REQUEST = "Failed to load resource"


@dataclass(frozen=True)
class Server:
    """A running Answerdesk and the first staff key that it printed."""

    base: str
    key: str
    http: httpx.Client
    data_dir: Path

    @property
    def console(self) -> str:
        return f"{self.base}/console#key={self.key}"

    def upload(self, name: str, text: str, collection: str = "default") -> str:
        """Send a document, wait until it is ready, and give its id."""
        response = self.http.post(
            "/v1/documents", files={"file": (name, text.encode("utf-8"))}, data={"collection": collection}
        )
        assert response.status_code == 202, response.text
        document_id: str = response.json()["documents"][0]["document"]["document_id"]
        self.wait_until_ready(document_id)
        return document_id

    def ensure_sample_shop(self) -> None:
        """Every document of the sample shop is ready, also after a test has removed it."""
        if not self.documents("shop"):
            files = [("file", (path.name, path.read_bytes())) for path in sorted(SAMPLE_FOLDER.iterdir())]
            self.http.post("/v1/documents", files=files, data={"collection": "shop"}).raise_for_status()
        for document in self.documents("shop"):
            self.wait_until_ready(document["document_id"])

    def documents(self, collection: str) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = self.http.get("/v1/documents", params={"collection": collection}).json()[
            "documents"
        ]
        return documents

    def wait_until_ready(self, document_id: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            document = self.http.get(f"/v1/documents/{document_id}").json()
            if document["status"] == "ready":
                return
            assert document["status"] != "failed", document["reason"]
            time.sleep(0.2)
        pytest.fail(f"Document {document_id} was not ready after {READY_SECONDS} s.")


@dataclass
class Visit:
    """A page, and everything that happened on it and should not have."""

    page: Page
    troubles: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.troubles.append(f"script error: {error}"))
        self.page.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and REFUSED_REQUEST not in message.text:
            self.troubles.append(f"console {message.type}: {message.text}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """`answerdesk serve --sample` over an empty data folder, as `make run` starts it."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSWERDESK_")}
    data_dir = folder / "data"
    environment["ANSWERDESK_DATA_DIR"] = str(data_dir)
    command = [sys.executable, "-m", "api.cli", "serve", "--sample", "--port", str(port)]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    base = f"http://127.0.0.1:{port}"
    try:
        key = _wait_for_first_key(process, log)
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
            yield Server(base, key, http, data_dir)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_first_key(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := FIRST_KEY.search(log.read_text(encoding="utf-8")):
            return found.group(1)
        time.sleep(0.2)
    pytest.fail(f"The server did not start:\n{log.read_text(encoding='utf-8')[-4000:]}")
