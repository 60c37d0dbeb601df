"""A real uvicorn server and real sockets: clients that hang up, and a stop with open streams."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from domain.access import AccessRole
from tests.api.conftest import RETURNS, Desk, GatedLanguageModel, OpenDesk, events_of

RETURN = "Within how many days of delivery can you send an item back?"


@contextmanager
def _serving(desk: Desk) -> Iterator[tuple[uvicorn.Server, str]]:
    config = uvicorn.Config(desk.app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=10)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


def _slot_is_free(desk: Desk, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if desk.app.state.slots.count_free():
            return True
        time.sleep(0.02)
    return False


def test_client_that_hangs_up_stops_the_composing_and_frees_its_slot(open_desk: OpenDesk) -> None:
    model = GatedLanguageModel()
    desk = open_desk(language_model=model, max_concurrent_answers=1)
    desk.ingest(("returns.md", RETURNS))
    path = f"/v1/conversations/{desk.conversation()}/messages"
    with _serving(desk) as (_, base):
        headers = {**desk.headers(AccessRole.CUSTOMER), "Accept": "text/event-stream"}
        with httpx.stream("POST", base + path, headers=headers, json={"content": RETURN}) as response:
            assert next(response.iter_lines()) == "event: passages"
            assert model.started.wait(5)
            assert not desk.app.state.slots.count_free()
        model.gate.set()
        assert _slot_is_free(desk, 2.0)
    assert model.asked == 1
    assert desk.customer("GET", path).json()["messages"] == []


def test_stop_with_an_open_stream_ends_it_with_an_error_event(open_desk: OpenDesk) -> None:
    model = GatedLanguageModel()
    desk = open_desk(language_model=model, shutdown_seconds=2)
    desk.ingest(("returns.md", RETURNS))
    path = f"/v1/conversations/{desk.conversation()}/messages"
    with _serving(desk) as (_, base):
        headers = {**desk.headers(AccessRole.CUSTOMER), "Accept": "text/event-stream"}
        with httpx.stream("POST", base + path, headers=headers, json={"content": RETURN}) as response:
            assert model.started.wait(5)
            desk.app.state.draining.set()
            name, data = events_of(response.read().decode())[-1]
        model.gate.set()
    assert name == "error"
    assert json.loads(data)["title"] == "Server stopping"
