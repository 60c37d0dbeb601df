"""Server-sent events of a turn: frames made in a thread, sent as they come, with pings while nothing comes.

FastAPI's own event stream serves routes that always stream and pings with comments; here one route gives JSON or a
stream, pings are events, an error before the first frame is an ordinary problem response, and a stream can be drained.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Generator, Mapping
from typing import Any, Protocol

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import ServerStopping, problem, unexpected_problem
from domain.errors import AnswerdeskError

logger = logging.getLogger(__name__)

Frames = Generator[bytes, None, None]
_FAREWELL_SECONDS = 1.0
_TICK_SECONDS = 0.25  # how soon a stream notices that the server is being stopped


def event_frame(name: str, data: Mapping[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=_json(data))


def data_frame(data: Mapping[str, Any]) -> bytes:
    """A frame without a name, as OpenAI's clients expect."""
    return format_sse_event(data_str=_json(data))


class Dialect(Protocol):
    """How a stream says what is not part of the answer."""

    def ping(self) -> bytes: ...

    def error(self, details: Mapping[str, Any]) -> bytes: ...


class NativeDialect:
    def ping(self) -> bytes:
        return event_frame("ping", {})

    def error(self, details: Mapping[str, Any]) -> bytes:
        return event_frame("error", details)


class OpenAIDialect:
    def ping(self) -> bytes:
        return format_sse_event(comment="ping")

    def error(self, details: Mapping[str, Any]) -> bytes:
        return data_frame({"error": {"message": details["detail"], "code": details["status"], **details}})


class StopSignal:
    """Says when a stream has to end because the server is stopping: ``seconds`` after it noticed the event."""

    def __init__(self, draining: threading.Event, seconds: float) -> None:
        self._draining = draining
        self._seconds = seconds
        self._deadline: float | None = None

    def is_over(self) -> bool:
        if not self._draining.is_set():
            return False
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._seconds
        return now >= self._deadline


class _Source:
    """A turn's frames, made in worker threads. Closing waits for a step in progress: a running generator cannot be."""

    def __init__(self, frames: Frames, dialect: Dialect, request_id: str) -> None:
        self._frames = frames
        self._dialect = dialect
        self._request_id = request_id
        self._lock = threading.Lock()
        self._has_begun = False
        self.failure: Exception | None = None

    def next(self) -> bytes:
        """The next frame; an ``error`` frame if making it failed; nothing at the end or if not even the first came."""
        with self._lock:
            try:
                frame = next(self._frames, b"")
            except Exception as error:  # noqa: BLE001 - even a bug ends the stream in an event, or is raised before it
                if not self._has_begun:
                    self.failure = error
                    return b""
                return self._error_frame(error)
            self._has_begun = True
            return frame

    def close(self) -> None:
        with self._lock:
            self._frames.close()

    def _error_frame(self, error: Exception) -> bytes:
        if isinstance(error, AnswerdeskError):
            return self._dialect.error(problem(error, self._request_id))
        logger.error("unexpected error in a stream", exc_info=error, extra={"request": self._request_id})
        return self._dialect.error(unexpected_problem(self._request_id))


class EventStream(Response):
    """Sends ``frames`` and closes them whatever happens: the client leaves, reads too slowly, or the server stops.

    ``frames`` runs in a worker thread, one step at a time, never ahead of the client. What it raises before the first
    frame becomes a problem response; what it raises later becomes an ``error`` event.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: Frames,
        dialect: Dialect,
        request_id: str,
        stop: StopSignal,
        *,
        ping_seconds: float = 10.0,
        write_seconds: float = 20.0,
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._source = _Source(frames, dialect, request_id)
        self._dialect = dialect
        self._request_id = request_id
        self._stop = stop
        self._ping_seconds = ping_seconds
        self._write_seconds = write_seconds
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI calls it
        frames_in, frames_out = anyio.create_memory_object_stream[bytes](0)
        try:
            with frames_out:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
                    tasks.start_soon(self._produce, frames_in)
                    await self._send_frames(frames_out, send)
                    tasks.cancel_scope.cancel()
        except anyio.get_cancelled_exc_class():
            # Not by us: the server's own time to stop is over, and the client should still be told.
            with anyio.move_on_after(_FAREWELL_SECONDS, shield=True):
                await self._end(self._farewell(), send)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._source.close)
        if self._source.failure is not None:
            raise self._source.failure

    async def _produce(self, frames_in: MemoryObjectSendStream[bytes]) -> None:
        with frames_in:
            while frame := await run_in_threadpool(self._source.next):
                await frames_in.send(frame)

    async def _send_frames(self, frames_out: MemoryObjectReceiveStream[bytes], send: Send) -> None:
        """Until the frames end, the client is given up, or the server's patience with open streams ends."""
        frame, last_sent = b"", time.monotonic()
        while not frame or await self._send_in_time(frame, send):
            if frame:
                last_sent = time.monotonic()
            frame = b""
            with anyio.move_on_after(_TICK_SECONDS):
                try:
                    frame = await frames_out.receive()
                except anyio.EndOfStream:
                    await self._end(b"", send)
                    return
            if not frame and self._stop.is_over():
                await self._end(self._farewell(), send)
                return
            if not frame and self._has_begun and time.monotonic() - last_sent >= self._ping_seconds:
                frame = self._dialect.ping()

    async def _send_in_time(self, frame: bytes, send: Send) -> bool:
        """False when the client has not taken the frame for so long that the stream is given up."""
        with anyio.move_on_after(self._write_seconds) as scope:
            await self._begin(send)
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        if scope.cancelled_caught:
            logger.info("stream given up: the client reads too slowly", extra={"request": self._request_id})
        return not scope.cancelled_caught

    async def _begin(self, send: Send) -> None:
        if not self._has_begun:
            self._has_begun = True
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _end(self, last_frame: bytes, send: Send) -> None:
        if self._source.failure is None:
            await self._begin(send)
            await send({"type": "http.response.body", "body": last_frame, "more_body": False})

    def _farewell(self) -> bytes:
        error = ServerStopping("The server is being stopped before the answer was complete.", "Ask again in a minute.")
        return self._dialect.error(problem(error, self._request_id))


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
