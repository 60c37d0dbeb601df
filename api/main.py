"""The HTTP application: routes, middleware, error handlers and the life of the services around them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api.auth import require_declared_roles
from api.bootstrap import Services
from api.errors import add_error_handlers
from api.hosts import accepted_hosts, is_loopback
from api.limits import AnswerSlots
from api.metrics import Metrics
from api.middleware import PROBES, SECURITY_HEADERS, BodyLimit, HostGuard, RequestFrame
from api.routes import completions, conversations, documents, generations, health, models, pages, search
from api.startup import Startup

_UPLOADS = frozenset((("POST", "/v1/documents"),))


def create_app(services: Services) -> FastAPI:
    """The application over given services, which it loads when it starts and closes when it stops.

    ``app.state.draining`` is an event that the server sets when it begins to stop; open streams then end.
    """
    app = FastAPI(
        title="Answerdesk", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=_lifespan
    )
    app.state.services = services
    app.state.startup = Startup(services)
    app.state.slots = AnswerSlots(services.settings.api.max_concurrent_answers)
    app.state.metrics = Metrics()
    app.state.draining = threading.Event()
    for module in (completions, conversations, documents, generations, health, models, pages, search):
        app.include_router(module.router)
    app.mount("/assets", pages.Assets(directory=pages.PAGES), name="assets")
    require_declared_roles(app.routes)
    _add_middleware(app, services)
    add_error_handlers(app, SECURITY_HEADERS)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load once before the first request; if that fails, serve health reports and keep trying."""
    startup: Startup = app.state.startup
    await run_sync(startup.load_once)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(startup.keep_trying)
        yield
        tasks.cancel_scope.cancel()
    services: Services = app.state.services
    await run_sync(services.close)


def _add_middleware(app: FastAPI, services: Services) -> None:
    """Added from the inside out: the last one added sees a request first."""
    settings = services.settings.api
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, exempt=_UPLOADS)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Accept"],
            expose_headers=["X-Request-Id"],
        )
    exempt = frozenset() if is_loopback(settings.host) else PROBES
    app.add_middleware(HostGuard, accepted=accepted_hosts(settings), exempt=exempt)
    app.add_middleware(RequestFrame, metrics=app.state.metrics)
