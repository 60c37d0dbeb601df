"""What holds for every request: an id, security headers, a known host name, a bounded body. Plain ASGI."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import HostRefused, RequestTooLarge, problem_response
from api.hosts import host_name
from api.metrics import Metrics
from domain.errors import AnswerdeskError
from domain.ids import new_id

logger = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_HSTS = "max-age=31536000"
PROBES = frozenset(("/livez", "/readyz"))
_QUIET = PROBES | {"/metrics"}


class RequestFrame:
    """Gives the request its id, every response its security headers, and the operator a log line and a measurement.

    The route's template is logged, never the address itself, which may hold a customer's words.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500  # what the server answers when the application raises

        async def framed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), request_id, scope["scheme"])
            await send(message)

        try:
            await self._app(scope, receive, framed_send)
        finally:
            self._record(scope, status, time.perf_counter() - started, request_id)

    def _record(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = str(getattr(scope.get("route"), "path", "unmatched"))
        self._metrics.observe_request(scope["method"], route, status, seconds)
        logger.log(
            logging.DEBUG if route in _QUIET else logging.INFO,
            "request",
            extra={
                "method": scope["method"],
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "request": request_id,
            },
        )


class HostGuard:
    """Refuses a request that names a host we are not: the defence against DNS rebinding.

    Args:
        exempt: paths that any host may name. Where the server is not on loopback, those of probes, which are sent to a
            pod's address; they tell a stranger nothing.
    """

    def __init__(self, app: ASGIApp, accepted: frozenset[str] | None, exempt: frozenset[str]) -> None:
        self._app = app
        self._accepted = accepted
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._accepted is not None and scope["path"] not in self._exempt:
            host = host_name(Headers(scope=scope).get("host", ""))
            if host not in self._accepted:
                error = HostRefused(
                    "The request is addressed to a host name that this server does not go by.",
                    "Use the address that the server printed, or add the name to ANSWERDESK_API__ALLOWED_HOSTS.",
                )
                await _refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Cuts a request body off at ``limit`` bytes, counted as they arrive; an honest Content-Length is refused at once.

    The upload route is exempt: it has its own, larger limits and counts file by file.
    """

    def __init__(self, app: ASGIApp, limit: int, exempt: frozenset[tuple[str, str]]) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) in self._exempt:
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limit:
            await _refuse(self._too_large(), scope, receive, send)
            return
        received = 0

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise self._too_large()
            return message

        await self._app(scope, counted_receive, send)

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"The request's body is larger than {self._limit // 1024} KB.",
            "Send less; only document uploads may be larger.",
        )


async def _refuse(error: AnswerdeskError, scope: Scope, receive: Receive, send: Send) -> None:
    request_id = str(scope.get("state", {}).get("request_id", ""))
    await problem_response(error, request_id)(scope, receive, send)


def _add_headers(headers: MutableHeaders, request_id: str, scheme: str) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if scheme == "https":
        headers.setdefault("Strict-Transport-Security", _HSTS)
    headers["X-Request-Id"] = request_id
