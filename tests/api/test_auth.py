"""Every route against every role; the table is the specification, and a route missing from it fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from api.auth import declared_role, require_declared_roles
from domain.access import AccessRole
from tests.api.conftest import Desk

CUSTOMER, STAFF, ADMIN = AccessRole
PUBLIC = None
ALLOWED: dict[tuple[str, str], AccessRole | None] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/console"): PUBLIC,
    ("GET", "/livez"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,  # asks for an admin key itself, unless the caller is on this machine
    ("POST", "/v1/session"): PUBLIC,  # refuses callers from elsewhere itself
    ("POST", "/v1/chat/completions"): CUSTOMER,
    ("GET", "/v1/models"): CUSTOMER,
    ("POST", "/v1/conversations"): CUSTOMER,
    ("GET", "/v1/conversations/{conversation_id}/messages"): CUSTOMER,
    ("POST", "/v1/conversations/{conversation_id}/messages"): CUSTOMER,
    ("POST", "/v1/messages/{message_id}/feedback"): CUSTOMER,
    ("POST", "/v1/search"): CUSTOMER,
    ("GET", "/v1/documents/{document_id}/text"): CUSTOMER,
    ("POST", "/v1/documents"): STAFF,
    ("GET", "/v1/documents"): STAFF,
    ("GET", "/v1/documents/{document_id}"): STAFF,
    ("DELETE", "/v1/documents/{document_id}"): STAFF,
    ("POST", "/v1/documents/{document_id}/retry"): STAFF,
    ("GET", "/v1/documents/{document_id}/passages"): STAFF,
    ("DELETE", "/v1/collections/{collection}"): STAFF,
    ("POST", "/v1/reindex"): STAFF,
    ("GET", "/v1/reindex/{job_id}"): STAFF,
    ("GET", "/v1/generations"): STAFF,
    ("POST", "/v1/generations/{generation_id}/promote"): STAFF,
    ("GET", "/v1/registry/models"): STAFF,
    ("POST", "/v1/registry/models/{model_id}/promote"): STAFF,
    ("POST", "/v1/registry/rollback"): STAFF,
}


def _routes(app: FastAPI) -> list[APIRoute]:
    routes = (context.original_route for context in iter_route_contexts(app.routes))
    return [route for route in routes if isinstance(route, APIRoute)]


def test_every_route_declares_the_role_of_the_table(shared_desk: Desk) -> None:
    declared = {(method, r.path): declared_role(r) for r in _routes(shared_desk.app) for method in r.methods - {"HEAD"}}
    assert declared == ALLOWED


def test_every_route_lets_in_exactly_the_roles_of_the_table(desk: Desk) -> None:
    wrong = []
    for (method, path), needed in ALLOWED.items():
        address = path.replace("{", "").replace("}", "")
        for role in (None, *AccessRole):
            status = desk.call(role, method, address, json={} if method == "POST" else None).status_code
            may = needed is None or (role is not None and role.includes(needed))
            expected = may if needed is not None else True
            if (status not in (401, 403)) != expected or (role is None and not may and status != 401):
                wrong.append((method, path, role, status))
    assert wrong == []


def test_route_without_a_role_stops_the_start() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    router = APIRouter()

    @router.get("/forgotten")
    def forgotten() -> str:
        return "open to the world"

    app.include_router(router)
    with pytest.raises(RuntimeError, match="/forgotten declares no role"):
        require_declared_roles(app.routes)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer ad_wrong", "Bearer \x7f", "Bearer é"])
def test_missing_or_unknown_key_is_401_with_a_challenge(shared_desk: Desk, header: str) -> None:
    response = shared_desk.client.get("/v1/models", headers={"Authorization": header.encode("latin-1")})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["type"] == "urn:answerdesk:problem:key-unknown"
    assert "answerdesk key create" in response.json()["remedy"]


def test_revoked_key_is_refused_on_the_next_request(desk: Desk) -> None:
    assert desk.customer("GET", "/v1/models").status_code == 200
    desk.services.keys.revoke(desk.keys[CUSTOMER][0].key_id)
    assert desk.customer("GET", "/v1/models").status_code == 401


def test_expired_key_is_refused(shared_desk: Desk) -> None:
    _, expired = shared_desk.services.keys.create(CUSTOMER, "old", datetime.now(UTC) - timedelta(seconds=1))
    response = shared_desk.client.get("/v1/models", headers={"Authorization": f"Bearer {expired}"})
    assert response.status_code == 401


def test_customer_key_on_a_staff_route_is_403_and_names_both_roles(shared_desk: Desk) -> None:
    problem = shared_desk.customer("GET", "/v1/documents")
    assert problem.status_code == 403
    assert problem.json()["detail"] == "This needs the role staff; the key has customer."
