"""Is the process alive, can it answer, and how does it do: for supervisors, balancers and Prometheus."""

from __future__ import annotations

import hmac
import shutil
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from api.auth import PUBLIC, authenticate, bearer_token
from api.bootstrap import Services
from api.hosts import is_local
from api.metrics import Metrics
from api.routes.dependencies import MetricsDep, ServicesDep
from api.startup import Startup
from domain.access import AccessRole
from domain.errors import AnswerdeskError, KeyUnknown, RoleTooLow
from storage.engine import ping

router = APIRouter()

_LOW_DISK_BYTES = 512 * 1024 * 1024
_READY, _DEGRADED, _UNAVAILABLE = "ready", "degraded", "unavailable"


@router.get("/livez", dependencies=[PUBLIC])
async def livez() -> dict[str, str]:
    """Answers from the event loop alone: no thread, no database, no model."""
    return {"status": "alive"}


@router.get("/readyz", dependencies=[PUBLIC])
def readyz(request: Request, services: ServicesDep) -> JSONResponse:
    """503 when questions cannot be answered; 200 and ``degraded`` when a fallback serves.

    The reasons may name folders and models, so only a caller on this machine is told them.
    """
    startup: Startup = request.app.state.startup
    checks = {
        "database": _database(services),
        "models": _startup(startup),
        "index": _index(services, startup),
        "reader": _reader(services, startup),
        "language_model": _language_model(services, startup),
        "disk": _disk(services),
        "jobs": _jobs(services),
    }
    statuses = {check["status"] for check in checks.values()}
    status = next((level for level in (_UNAVAILABLE, _DEGRADED) if level in statuses), _READY)
    if not is_local(request, services.settings.api):
        checks = {name: {"status": check["status"]} for name, check in checks.items()}
    return JSONResponse({"status": status, "checks": checks}, 503 if status == _UNAVAILABLE else 200)


@router.get("/metrics", dependencies=[PUBLIC])
def metrics(request: Request, services: ServicesDep, figures: MetricsDep) -> Response:
    """For an admin key, the metrics token, or anybody on this very machine."""
    _require_metrics_access(request, services)
    try:
        _read_facts(services, figures)
    except AnswerdeskError:  # what this process counted itself is wanted most when the database is gone
        figures.forget_facts()
    return Response(figures.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _check(status: str, **facts: object) -> dict[str, Any]:
    return {"status": status, **facts}


def _guarded(check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return check()
    except AnswerdeskError as error:
        return _check(_UNAVAILABLE, reason=f"{error.detail} {error.remedy}")


def _database(services: Services) -> dict[str, Any]:
    def check() -> dict[str, Any]:
        ping(services.engine)
        return _check(_READY, kind=services.engine.dialect.name)

    return _guarded(check)


def _startup(startup: Startup) -> dict[str, Any]:
    if startup.is_loaded:
        return _check(_READY)
    problem = startup.problem
    return _check(_UNAVAILABLE, reason=f"{problem.detail} {problem.remedy}" if problem else "Still loading.")


def _index(services: Services, startup: Startup) -> dict[str, Any]:
    if not startup.is_loaded:
        return _check(_UNAVAILABLE, reason="Not loaded.")
    facts = services.retriever.info()
    return _check(_DEGRADED if facts.get("degraded") else _READY, **facts)


def _reader(services: Services, startup: Startup) -> dict[str, Any]:
    if not startup.is_loaded:
        return _check(_UNAVAILABLE, reason="Not loaded.")
    if services.reader_problem is not None:
        return _check(_DEGRADED, reason=services.reader_problem, fallback="words and vectors choose the evidence")
    return _check(_READY)


def _language_model(services: Services, startup: Startup) -> dict[str, Any]:
    if not startup.is_loaded:
        return _check(_UNAVAILABLE, reason="Not loaded.")
    serving = services.live_model.serving
    if serving is None:
        return _check(_UNAVAILABLE, reason="Not loaded.")
    model = serving.model
    if model is None:
        return _check(_DEGRADED, reason=serving.problem, fallback="passages are quoted")
    if serving.problem is not None:
        return _check(_DEGRADED, name=model.name, reason=serving.problem, fallback=f"{serving.model_id} answers")
    if not model.is_grounded:
        return _check(_DEGRADED, name=model.name, reason="Never fine-tuned here.", fallback="passages are quoted")
    return _check(_READY, name=model.name)


def _disk(services: Services) -> dict[str, Any]:
    try:
        free = shutil.disk_usage(services.settings.data_dir).free
    except OSError as error:
        return _check(_DEGRADED, reason=f"The data folder cannot be read: {error.strerror}.")
    return _check(_READY if free >= _LOW_DISK_BYTES else _DEGRADED, free_mb=free // 2**20)


def _jobs(services: Services) -> dict[str, Any]:
    return _guarded(lambda: _check(_READY, queued=services.jobs.count_queued()))


def _require_metrics_access(request: Request, services: Services) -> None:
    token, expected = bearer_token(request), services.settings.api.metrics_token
    if is_local(request, services.settings.api):
        return
    if token and expected and hmac.compare_digest(token.encode(), expected.get_secret_value().encode()):
        return
    key = authenticate(services, request)
    if key is None:
        raise KeyUnknown("The figures are not public.", "Send an admin key or ANSWERDESK_API__METRICS_TOKEN.")
    if not key.role.includes(AccessRole.ADMIN):
        raise RoleTooLow(f"The figures need the role admin; the key has {key.role}.", "Use an admin key.")


def _read_facts(services: Services, figures: Metrics) -> None:
    figures.set_fact("jobs_queued", services.jobs.count_queued())
    figures.set_fact("documents", services.documents.count_documents())
    figures.set_fact("passages", services.documents.count_passages())
    figures.set_fact("revision", services.documents.revision())
