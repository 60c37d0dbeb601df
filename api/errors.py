"""The one table from errors to HTTP, and the problem details (RFC 9457) that every refusal answers with."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from domain import errors as domain

logger = logging.getLogger(__name__)


class RequestMalformed(domain.InvalidInput):
    """The bytes are not the format that they claim to be, or end too early."""

    title = "Request malformed"


class RequestTooLarge(domain.InvalidInput):
    title = "Request too large"


class ModelUnknown(domain.NotFound):
    title = "Model unknown"


class HostRefused(domain.NotAllowed):
    title = "Host name refused"


class OriginRefused(domain.NotAllowed):
    title = "Origin refused"


class ServerBusy(domain.Unavailable):
    title = "Server busy"


class ServerStarting(domain.Unavailable):
    title = "Server starting"


class ServerStopping(domain.Unavailable):
    title = "Server stopping"


# Looked up along the class's ancestors, so a new error has its parent's status until it gets a line of its own.
STATUS: Mapping[type[domain.AnswerdeskError], int] = {
    domain.AnswerdeskError: 500,
    domain.NotFound: 404,
    domain.InvalidInput: 422,
    domain.UnsupportedFileType: 415,
    domain.FileTooLarge: 413,
    RequestTooLarge: 413,
    RequestMalformed: 400,
    domain.Conflict: 409,
    domain.NotAllowed: 403,
    domain.KeyUnknown: 401,
    HostRefused: 421,
    domain.Corrupt: 500,
    domain.Unavailable: 503,
    domain.StorageFull: 507,
}
_RETRY_AFTER_SECONDS = 2
_REMEDIES = {
    400: "Check the request's body against the documentation.",
    404: "Check the address; docs/http.md lists the routes.",
    405: "Use one of the methods that the Allow header names.",
}
_MALFORMED = frozenset(("json_invalid", "json_type"))


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def status_of(error: domain.AnswerdeskError) -> int:
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def problem(error: domain.AnswerdeskError, request_id: str) -> dict[str, Any]:
    """The problem details of an error; also the data of a stream's ``error`` event."""
    body = _problem(type(error).__name__, error.title, status_of(error), error.detail, error.remedy, request_id)
    if isinstance(error, domain.AlreadyRunning):
        body["running_id"] = error.running_id
    return body


def unexpected_problem(request_id: str) -> dict[str, Any]:
    """For a bug of ours: says nothing of its inside; the log has it under the request's id."""
    return _problem(
        "InternalError",
        "Internal error",
        500,
        "The request failed for a reason that is not yours.",
        f"Try again; if it fails again, give the operator the request id {request_id}.",
        request_id,
    )


def problem_response(error: domain.AnswerdeskError, request_id: str) -> Response:
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    if status == 413:
        headers["Connection"] = "close"  # or the server would read the rest of the body to throw it away
    return ProblemResponse(problem(error, request_id), status, headers)


def request_id_of(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def add_error_handlers(app: FastAPI, always_headers: Mapping[str, str]) -> None:
    """``always_headers`` go on the answer to a bug, which is sent from outside of every other middleware."""

    async def expected(request: Request, error: Exception) -> Response:
        assert isinstance(error, domain.AnswerdeskError)
        if status_of(error) >= 500:
            logger.warning("request failed", extra={"reason": type(error).__name__, "request": request_id_of(request)})
        return problem_response(error, request_id_of(request))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, domain.AnswerdeskError):
            return problem_response(error.__cause__, request_id_of(request))
        return _http_problem(error, request_id_of(request))

    async def hung_up(request: Request, _: Exception) -> Response:
        reason = RequestMalformed("The connection closed before the request was complete.", "Send it again.")
        return problem_response(reason, request_id_of(request))  # for the log's sake; nobody reads it

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _validation_problem(error, request_id_of(request))

    async def unexpected(request: Request, error: Exception) -> Response:
        request_id = request_id_of(request)
        logger.error("unexpected error", exc_info=error, extra={"request": request_id})
        return ProblemResponse(unexpected_problem(request_id), 500, {**always_headers, "X-Request-Id": request_id})

    app.add_exception_handler(domain.AnswerdeskError, expected)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(ClientDisconnect, hung_up)
    app.add_exception_handler(Exception, unexpected)


def _problem(kind: str, title: str, status: int, detail: str, remedy: str, request_id: str) -> dict[str, Any]:
    return {
        "type": "urn:answerdesk:problem:" + re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower(),
        "title": title,
        "status": status,
        "detail": detail,
        "remedy": remedy,
        "request_id": request_id,
    }


def _http_problem(error: HTTPException, request_id: str) -> Response:
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != title else f"{title}."
    remedy = _REMEDIES.get(error.status_code, "Correct the request and send it again.")
    body = _problem(title.replace(" ", ""), title, error.status_code, detail, remedy, request_id)
    return ProblemResponse(body, error.status_code, dict(error.headers or {}))


def _validation_problem(error: RequestValidationError, request_id: str) -> Response:
    """Names the fields and what is wrong with them; what was sent is not repeated, it may be long or private."""
    fields = [
        {"field": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])} for item in error.errors()
    ][:20]
    malformed = any(item["type"] in _MALFORMED for item in error.errors())
    first = fields[0]
    body = _problem(
        "RequestMalformed" if malformed else "RequestInvalid",
        "Request malformed" if malformed else "Request invalid",
        422,
        f"{first['field']}: {first['message']}" + (f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""),
        "Correct the named fields and send the request again.",
        request_id,
    )
    return ProblemResponse(body | {"errors": fields}, 422)
