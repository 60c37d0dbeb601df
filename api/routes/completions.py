"""The OpenAI-compatible door: the same turns, in the shapes that existing clients speak."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api import openai
from api.auth import FOR_CUSTOMERS
from api.bootstrap import Services
from api.errors import request_id_of
from api.limits import AnswerSlots
from api.metrics import Metrics
from api.routes.dependencies import LoadedServices, MetricsDep, ServicesDep, SlotsDep, stop_signal
from api.sse import EventStream, Frames, OpenAIDialect, data_frame
from api.turns import Turn, last_answer, run_turn
from domain.chat import TurnFinished

router = APIRouter()

_END = b"data: [DONE]\n\n"


@router.get("/v1/models", dependencies=[FOR_CUSTOMERS])
def list_models(services: ServicesDep) -> dict[str, Any]:
    return openai.model_list(services.documents.collections(), created=0)


@router.post("/v1/chat/completions", dependencies=[FOR_CUSTOMERS])
def complete(
    body: openai.CompletionRequest,
    request: Request,
    services: LoadedServices,
    slots: SlotsDep,
    metrics: MetricsDep,
) -> Response:
    turn = body.to_turn()
    if body.stream:
        request_id = request_id_of(request)
        count = partial(openai.usage, turn.question, language_model=services.language_model)
        writer = openai.ChunkWriter(f"chatcmpl-{request_id}", body.model, int(time.time()), count)
        frames = _frames(services, slots, metrics, turn, writer)
        return EventStream(frames, OpenAIDialect(), request_id, stop_signal(request))
    with slots.take():
        answer = last_answer(run_turn(services.agent, services.conversations, turn))
    metrics.observe_answer(answer)
    return JSONResponse(openai.completion(answer, body.model, services.language_model, turn.question))


def _frames(services: Services, slots: AnswerSlots, metrics: Metrics, turn: Turn, writer: openai.ChunkWriter) -> Frames:
    """Whole verified sentences as deltas; the last chunk carries the Answer."""
    with slots.take(), closing(run_turn(services.agent, services.conversations, turn)) as events:
        for event in events:
            if isinstance(event, TurnFinished):
                metrics.observe_answer(event.answer)
            for chunk in writer.chunks(event):
                yield data_frame(chunk)
    yield _END
