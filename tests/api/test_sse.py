"""The event stream against a scripted ASGI server: pings, failures, slow and leaving clients, a stopping server."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Generator

import anyio
import pytest
from starlette.types import Message

from api.sse import EventStream, NativeDialect, OpenAIDialect, StopSignal, event_frame
from domain.errors import StorageBusy
from tests.api.conftest import events_of

NEVER = threading.Event()


class Wire:
    """What a server would do with the response: keeps what is sent; the client leaves when ``leaves`` is set."""

    def __init__(self, *, stalls_after: int | None = None) -> None:
        self.leaves = anyio.Event()
        self.messages: list[Message] = []
        self._stalls_after = stalls_after

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._stalls_after is not None and len(self.messages) >= self._stalls_after:
            await anyio.sleep_forever()
        self.messages.append(message)

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.messages).decode()

    @property
    def is_complete(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("more_body") is False


class Source:
    """A generator of frames that notes when it was closed."""

    def __init__(self, make: Callable[[], Generator[bytes, None, None]]) -> None:
        self._make = make
        self.is_closed = False

    def frames(self) -> Generator[bytes, None, None]:
        try:
            yield from self._make()
        finally:
            self.is_closed = True


def _stream(source: Source, **options: float) -> EventStream:
    return EventStream(source.frames(), NativeDialect(), "request-1", StopSignal(NEVER, 5.0), **options)


async def _run(stream: EventStream, wire: Wire) -> None:
    with anyio.fail_after(10):
        await stream({"type": "http"}, wire.receive, wire.send)


def test_frames_are_sent_in_order_and_the_source_is_closed() -> None:
    def make() -> Generator[bytes, None, None]:
        for n in range(3):
            yield event_frame("sentence", {"n": n})

    async def scenario() -> None:
        source, wire = Source(make), Wire()
        await _run(_stream(source), wire)
        assert [json.loads(data)["n"] for _, data in events_of(wire.text)] == [0, 1, 2]
        assert wire.is_complete
        assert source.is_closed

    anyio.run(scenario)


def test_quiet_stretch_is_bridged_with_pings() -> None:
    def make() -> Generator[bytes, None, None]:
        yield event_frame("passages", {})
        time.sleep(1.0)
        yield event_frame("answer", {})

    async def scenario() -> None:
        wire = Wire()
        await _run(_stream(Source(make), ping_seconds=0.1), wire)
        names = [name for name, _ in events_of(wire.text)]
        assert names[0] == "passages"
        assert names[-1] == "answer"
        assert set(names[1:-1]) == {"ping"}

    anyio.run(scenario)


def test_error_before_the_first_frame_is_raised_so_that_it_becomes_a_problem_response() -> None:
    def make() -> Generator[bytes, None, None]:
        raise StorageBusy("Held.", "Wait.")
        yield b""

    async def scenario() -> None:
        source, wire = Source(make), Wire()
        with pytest.raises(StorageBusy):
            await _run(_stream(source), wire)
        assert wire.messages == []
        assert source.is_closed

    anyio.run(scenario)


@pytest.mark.parametrize(
    ("error", "title", "status"),
    [(StorageBusy("Held.", "Wait."), "Database busy", 503), (ZeroDivisionError("secret"), "Internal error", 500)],
)
def test_error_after_the_start_is_the_last_event(error: Exception, title: str, status: int) -> None:
    def make() -> Generator[bytes, None, None]:
        yield event_frame("passages", {})
        raise error

    async def scenario() -> None:
        wire = Wire()
        await _run(_stream(Source(make)), wire)
        name, data = events_of(wire.text)[-1]
        assert name == "error"
        assert json.loads(data)["title"] == title
        assert json.loads(data)["status"] == status
        assert json.loads(data)["request_id"] == "request-1"
        assert "secret" not in wire.text
        assert wire.is_complete

    anyio.run(scenario)


def test_client_that_leaves_stops_the_source_within_a_second() -> None:
    def make() -> Generator[bytes, None, None]:
        while True:
            yield event_frame("sentence", {})
            time.sleep(0.05)

    async def scenario() -> None:
        source, wire = Source(make), Wire()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_run, _stream(source), wire)
            await anyio.sleep(0.3)
            wire.leaves.set()
            started = time.monotonic()
        assert time.monotonic() - started < 1.0
        assert source.is_closed
        assert not wire.is_complete

    anyio.run(scenario)


def test_client_that_does_not_read_is_given_up_and_holds_nothing() -> None:
    made = 0

    def make() -> Generator[bytes, None, None]:
        nonlocal made
        while True:
            made += 1
            yield event_frame("sentence", {})

    async def scenario() -> None:
        source, wire = Source(make), Wire(stalls_after=2)
        await _run(_stream(source, write_seconds=0.2), wire)
        assert source.is_closed
        assert made <= 4  # never far ahead of the client

    anyio.run(scenario)


def test_task_that_is_cancelled_while_a_frame_is_made_says_goodbye_and_closes_the_source() -> None:
    started = threading.Event()

    def make() -> Generator[bytes, None, None]:
        started.set()
        time.sleep(0.5)
        yield event_frame("answer", {})

    async def scenario() -> None:
        source, wire = Source(make), Wire()
        task = asyncio.create_task(_run(_stream(source), wire))
        while not started.is_set():
            await asyncio.sleep(0.01)
        task.cancel()  # as uvicorn does when its time to shut down is over
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.is_closed
        assert wire.is_complete
        assert events_of(wire.text)[-1][0] == "error"

    anyio.run(scenario)


def test_stopping_server_lets_a_stream_finish_but_not_for_ever() -> None:
    draining = threading.Event()
    draining.set()

    def quick() -> Generator[bytes, None, None]:
        yield event_frame("passages", {})
        time.sleep(0.3)
        yield event_frame("answer", {})

    def endless() -> Generator[bytes, None, None]:
        yield event_frame("passages", {})
        time.sleep(1.5)
        yield event_frame("answer", {})

    def silent() -> Generator[bytes, None, None]:
        time.sleep(1.5)
        yield event_frame("answer", {})

    async def last_event(make: Callable[[], Generator[bytes, None, None]]) -> tuple[str, str]:
        wire = Wire()
        await _run(EventStream(Source(make).frames(), NativeDialect(), "r", StopSignal(draining, 0.6)), wire)
        assert wire.is_complete
        return events_of(wire.text)[-1]

    async def scenario() -> None:
        assert (await last_event(quick))[0] == "answer"
        for make in (endless, silent):
            name, data = await last_event(make)
            assert name == "error"
            assert json.loads(data)["title"] == "Server stopping"

    anyio.run(scenario)


def test_openai_clients_get_comments_as_pings_and_errors_as_data() -> None:
    dialect = OpenAIDialect()
    assert dialect.ping().startswith(b": ping")
    body = json.loads(dialect.error({"detail": "Held.", "status": 503}).removeprefix(b"data: "))
    assert body["error"]["message"] == "Held."


def test_line_breaks_in_data_cannot_forge_an_event() -> None:
    frame = event_frame("sentence", {"text": "a\n\nevent: answer\ndata: {}"})
    assert [name for name, _ in events_of(frame.decode())] == ["sentence"]
