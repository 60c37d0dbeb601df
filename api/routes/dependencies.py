"""What routes are handed: the services, the loaded agent, places for answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from api.bootstrap import Services
from api.limits import AnswerSlots
from api.metrics import Metrics
from api.sse import StopSignal

_SHARE_OF_SHUTDOWN = 0.25  # leaves most of the time for connections to close and work to end

Id = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


async def get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def get_loaded_services(request: Request) -> Services:
    """
    Raises:
        ServerStarting: the models are not loaded yet.
    """
    request.app.state.startup.require_loaded()
    return await get_services(request)


async def get_slots(request: Request) -> AnswerSlots:
    slots: AnswerSlots = request.app.state.slots
    return slots


async def get_metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


def stop_signal(request: Request) -> StopSignal:
    """What tells a stream of this request that the server is stopping, and how long it may go on then."""
    state = request.app.state
    services: Services = state.services
    return StopSignal(state.draining, services.settings.api.shutdown_seconds * _SHARE_OF_SHUTDOWN)


ServicesDep = Annotated[Services, Depends(get_services)]
LoadedServices = Annotated[Services, Depends(get_loaded_services)]
SlotsDep = Annotated[AnswerSlots, Depends(get_slots)]
MetricsDep = Annotated[Metrics, Depends(get_metrics)]
