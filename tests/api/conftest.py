"""A whole application over a temporary data folder: real SQLite, real storage, a hash embedder, a scripted model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.bootstrap import Services, build_services
from api.main import create_app
from api.settings import ApiSettings, Settings
from domain.access import AccessRole
from generator.settings import GeneratorSettings
from ingest.settings import IngestSettings
from retriever.settings import RetrieverSettings
from tests.fakes import HashEmbedder

RETURNS = b"""# Returns

You can send an item back within 30 days of delivery. The label is free.

# Refunds

We refund the price within 5 working days after the parcel arrives.
"""
FAQ = b"question,answer\nHow long is the warranty on a lamp?,Every lamp has a warranty of three years.\n"
MAX_FILE_BYTES = 64 * 1024
LOOPBACK_URL = "http://127.0.0.1:8000"


class GatedLanguageModel:
    """Likes every sentence as much as the next, and waits for ``gate`` before it says so."""

    name = "gated"
    context_tokens = 512
    is_grounded = True

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.started = threading.Event()
        self.asked = 0

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(self, prompt: str, max_new_tokens: int) -> Iterator[str]:
        raise NotImplementedError

    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        self.asked += 1
        self.started.set()
        self.gate.wait(10)
        return [0.0] * len(continuations)


class Desk:
    """The application under test, with a key and a client for each role."""

    def __init__(self, services: Services, app: FastAPI, client: TestClient) -> None:
        self.services = services
        self.app = app
        self.client = client
        self.keys = {role: services.keys.create(role, "test") for role in AccessRole}

    def headers(self, role: AccessRole | None) -> dict[str, str]:
        return {} if role is None else {"Authorization": f"Bearer {self.keys[role][1]}"}

    def call(self, role: AccessRole | None, method: str, path: str, **options: Any) -> Any:
        headers = {**self.headers(role), **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def customer(self, method: str, path: str, **options: Any) -> Any:
        return self.call(AccessRole.CUSTOMER, method, path, **options)

    def staff(self, method: str, path: str, **options: Any) -> Any:
        return self.call(AccessRole.STAFF, method, path, **options)

    def upload(self, *files: tuple[str, bytes], collection: str | None = None) -> Any:
        data = {"collection": collection} if collection is not None else {}
        return self.staff("POST", "/v1/documents", files=[("file", file) for file in files], data=data)

    def work(self) -> None:
        """Run every queued job in this thread."""
        worker = self.services.worker("test-worker")
        while worker.run_once():
            pass

    def ingest(self, *files: tuple[str, bytes], collection: str = "shop") -> list[dict[str, Any]]:
        response = self.upload(*files, collection=collection)
        assert response.status_code == 202, response.text
        self.work()
        return [
            self.staff("GET", f"/v1/documents/{row['document']['document_id']}").json()
            for row in response.json()["documents"]
        ]

    def conversation(self, **body: Any) -> str:
        return str(self.customer("POST", "/v1/conversations", json=body).json()["conversation_id"])


OpenDesk = Callable[..., Desk]


@contextmanager
def _opener(folder: Path) -> Iterator[OpenDesk]:
    with ExitStack() as stack:

        def open_desk(
            *, language_model: Any = None, address: str = "127.0.0.1", base_url: str = LOOPBACK_URL, **api: Any
        ) -> Desk:
            settings = Settings(
                data_dir=folder / "data",
                api=ApiSettings(**api),
                ingest=IngestSettings(max_file_bytes=MAX_FILE_BYTES, parse_seconds=20),
                generator=GeneratorSettings(refuse_below=0.0, model=str(folder / "no-model")),
                retriever=RetrieverSettings(reader=False),
            )
            services = build_services(settings, embedder=HashEmbedder(), language_model=language_model)
            app = create_app(services)
            client = TestClient(app, base_url=base_url, client=(address, 50000), raise_server_exceptions=False)
            return Desk(services, app, stack.enter_context(client))

        yield open_desk


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    """Opens an application; keyword arguments are ``api`` settings, a language model and the client's address."""
    with _opener(tmp_path) as open_:
        yield open_


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    return open_desk()


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One application for a module's tests that leave nothing behind, such as refusals."""
    with _opener(tmp_path_factory.mktemp("shared")) as open_:
        yield open_()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One application with two ready documents, for tests that only ask."""
    with _opener(tmp_path_factory.mktemp("shop")) as open_:
        desk = open_()
        desk.ingest(("returns.md", RETURNS), ("faq.csv", FAQ))
        yield desk


def events_of(text: str) -> list[tuple[str, str]]:
    """(event, data) of every frame of an event stream."""
    frames = [frame.splitlines() for frame in text.split("\n\n") if frame.strip()]
    return [(_field(frame, "event"), _field(frame, "data")) for frame in frames]


def _field(lines: Sequence[str], name: str) -> str:
    return "\n".join(line.removeprefix(f"{name}: ") for line in lines if line.startswith(f"{name}: "))
