from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from starlette.types import Message

from api.middleware import CONTENT_SECURITY_POLICY
from domain.access import AccessRole
from tests.api.conftest import Desk, OpenDesk

HANG_UP = b"the client closes its connection"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/v1/models", 401),
        ("GET", "/nowhere", 404),
        ("PUT", "/v1/search", 405),
        ("GET", "/assets/nothing.js", 404),
        ("GET", "/assets/../settings.py", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
    ],
)
def test_every_response_carries_the_security_headers_and_a_request_id(
    shared_desk: Desk, method: str, path: str, status: int
) -> None:
    response = shared_desk.client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert len(response.headers["x-request-id"]) == 36
    if status >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["request_id"] == response.headers["x-request-id"]
        assert {"type", "title", "status", "detail", "remedy"} <= response.json().keys()


def test_a_bug_gives_500_with_the_headers_and_without_its_inside(desk: Desk) -> None:
    desk.app.state.slots = None  # what a programming mistake looks like to the route
    response = desk.customer("POST", f"/v1/conversations/{desk.conversation()}/messages", json={"content": "hello"})
    assert response.status_code == 500
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["x-request-id"] == response.json()["request_id"]
    assert response.json()["title"] == "Internal error"
    assert "NoneType" not in response.text
    assert "Traceback" not in response.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "169.254.169.254", "[::2]:8000"])
def test_foreign_host_name_is_refused_on_loopback(shared_desk: Desk, host: str) -> None:
    response = shared_desk.client.get("/livez", headers={"Host": host})
    assert response.status_code == 421
    assert response.json()["title"] == "Host name refused"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"])
def test_loopback_names_are_accepted(shared_desk: Desk, host: str) -> None:
    assert shared_desk.client.get("/livez", headers={"Host": host}).status_code == 200


def test_configured_host_name_is_accepted_beside_the_bound_address(open_desk: OpenDesk) -> None:
    desk = open_desk(host="192.0.2.7", allowed_hosts=("desk.example",))
    assert desk.client.get("/", headers={"Host": "desk.example"}).status_code == 200
    assert desk.client.get("/", headers={"Host": "192.0.2.7:8000"}).status_code == 200
    assert desk.client.get("/", headers={"Host": "other.example"}).status_code == 421


def test_probes_may_name_the_address_of_a_pod(open_desk: OpenDesk) -> None:
    desk = open_desk(host="0.0.0.0", allowed_hosts=("desk.example",))
    pod = {"Host": "10.1.2.3:8000"}
    assert [desk.client.get(path, headers=pod).status_code for path in ("/livez", "/readyz", "/")] == [200, 200, 421]


def test_json_body_over_the_limit_is_refused_by_its_length(open_desk: OpenDesk) -> None:
    desk = open_desk(max_body_bytes=2048)
    response = desk.customer("POST", "/v1/search", json={"query": "x" * 3000})
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert "2 KB" in response.json()["detail"]


def test_json_body_without_a_length_is_cut_off_at_the_limit(open_desk: OpenDesk) -> None:
    desk = open_desk(max_body_bytes=2048)
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b" " * 1000

    status, body = anyio.run(call_app, desk, "POST", "/v1/search", endless())
    assert status == 413
    assert b"request-too-large" in body
    assert asked == 3


def test_other_origins_get_no_cors_headers_unless_named(open_desk: OpenDesk) -> None:
    desk = open_desk(cors_origins=("https://shop.example",))
    named = desk.client.get("/livez", headers={"Origin": "https://shop.example"})
    other = desk.client.get("/livez", headers={"Origin": "https://evil.example"})
    assert named.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-credentials" not in named.headers


async def call_app(
    desk: Desk,
    method: str,
    path: str,
    chunks: AsyncIterator[bytes],
    content_type: str = "application/json",
    **more: str,
) -> tuple[int, bytes]:
    """One request straight into the application, its body in chunks and without Content-Length unless given."""
    headers = {"host": "127.0.0.1", "content-type": content_type, **desk.headers(AccessRole.STAFF), **more}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        chunk = await anext(chunks, None)
        if chunk == HANG_UP:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def send(message: Message) -> None:
        sent.append(message)

    await desk.app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
