"""Keys and roles: every route says who may call it, and a route that says nothing stops the start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Mount

from api.bootstrap import Services
from domain.access import AccessRole, ApiKey
from domain.errors import KeyUnknown, RoleTooLow

_PUBLIC_MOUNTS = frozenset(("assets",))


class Requires:
    """Dependency that gives the caller's key, if its role reaches ``role``."""

    def __init__(self, role: AccessRole) -> None:
        self.role = role

    def __call__(self, request: Request) -> ApiKey:
        """
        Raises:
            KeyUnknown: no key, or one that is unknown, expired or revoked.
            RoleTooLow: the key is good but its role does not reach.
        """
        services: Services = request.app.state.services
        key = authenticate(services, request)
        if key is None:
            raise KeyUnknown(
                "The request carries no valid key.",
                "Send `Authorization: Bearer KEY`; `answerdesk key create` makes one.",
            )
        if not key.role.includes(self.role):
            raise RoleTooLow(
                f"This needs the role {self.role}; the key has {key.role}.", f"Use a key with the role {self.role}."
            )
        return key


class Public:
    """Marks a route that needs no key. Asynchronous, so that it costs no thread."""

    async def __call__(self) -> None:
        return None


Customer = Annotated[ApiKey, Depends(Requires(AccessRole.CUSTOMER))]
Staff = Annotated[ApiKey, Depends(Requires(AccessRole.STAFF))]
PUBLIC = Depends(Public())
FOR_CUSTOMERS = Depends(Requires(AccessRole.CUSTOMER))
FOR_STAFF = Depends(Requires(AccessRole.STAFF))


def bearer_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def authenticate(services: Services, request: Request) -> ApiKey | None:
    """The key that the request carries; None without one or when it is not valid (any more)."""
    token = bearer_token(request)
    return services.keys.authenticate(token) if token else None


def declared_role(route: APIRoute) -> AccessRole | None:
    """The role that a route asks for; None for a public one.

    Raises:
        RuntimeError: the route declares neither, which is a mistake in the code, not of a caller.
    """
    calls = [dependency.call for dependency in route.dependant.dependencies]
    roles = [call.role for call in calls if isinstance(call, Requires)]
    if roles:
        return roles[0]
    if any(isinstance(call, Public) for call in calls):
        return None
    raise RuntimeError(f"{route.path} declares no role")


def require_declared_roles(routes: Iterable[BaseRoute]) -> None:
    """Deny by default: refuse to start with a route that forgot to say who may call it."""
    for context in iter_route_contexts(list(routes)):
        route = context.original_route
        if isinstance(route, Mount) and route.name in _PUBLIC_MOUNTS:
            continue
        if not isinstance(route, APIRoute):
            raise RuntimeError(f"{route!r} is not a route that can declare a role")
        declared_role(route)
