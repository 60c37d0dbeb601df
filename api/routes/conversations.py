"""The native chat: sessions, conversations, messages (whole or streamed), feedback."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from api.auth import PUBLIC, Customer
from api.bootstrap import Services
from api.errors import OriginRefused, request_id_of
from api.hosts import is_local
from api.limits import AnswerSlots
from api.metrics import Metrics
from api.routes.dependencies import Id, LoadedServices, MetricsDep, ServicesDep, SlotsDep, stop_signal
from api.schemas import (
    AnswerView,
    CitationView,
    ConversationRequest,
    ConversationView,
    FeedbackRequest,
    MessageListView,
    MessageRequest,
    MessageView,
    SentenceView,
    SessionView,
)
from api.sse import EventStream, Frames, NativeDialect, event_frame
from api.turns import Turn, conversation_turn, last_answer, run_turn
from domain.access import AccessRole
from domain.chat import CitationAdded, Feedback, PassagesFound, SentenceVerified, TurnEvent, TurnFinished
from domain.errors import KeyUnknown

router = APIRouter()


@router.post("/v1/session", status_code=201, dependencies=[PUBLIC])
def open_session(request: Request, services: ServicesDep) -> SessionView:
    """A customer key of its own for whoever sits at this machine; it owns the conversations it opens, and expires."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise OriginRefused("A page of another site asked for a session.", "Open the chat page itself.")
    if not is_local(request, services.settings.api):
        raise KeyUnknown(
            "Anonymous sessions are only for a server on this very machine.",
            "Use a customer key: `answerdesk key create --role customer`.",
        )
    expires_at = datetime.now(UTC) + timedelta(hours=services.settings.api.session_hours)
    key, token = services.keys.create(AccessRole.CUSTOMER, "chat session", expires_at)
    return SessionView(token=token, role=key.role, expires_at=expires_at)


@router.post("/v1/conversations", status_code=201)
def open_conversation(
    caller: Customer, services: ServicesDep, body: ConversationRequest | None = None
) -> ConversationView:
    collection = body.collection if body else None
    return ConversationView.from_domain(services.conversations.create(caller.key_id, collection))


@router.get("/v1/conversations/{conversation_id}/messages")
def list_messages(conversation_id: Id, caller: Customer, services: ServicesDep) -> MessageListView:
    services.conversations.get(conversation_id, caller.key_id)
    messages = services.conversations.messages(conversation_id)
    return MessageListView(
        conversation_id=conversation_id, messages=[MessageView.from_domain(message) for message in messages]
    )


@router.post("/v1/conversations/{conversation_id}/messages", response_model=AnswerView)
def send_message(
    conversation_id: Id,
    body: MessageRequest,
    request: Request,
    caller: Customer,
    services: LoadedServices,
    slots: SlotsDep,
    metrics: MetricsDep,
    accept: Annotated[str, Header()] = "",
) -> Response | AnswerView:
    """The answer, or its events when the client accepts ``text/event-stream``."""
    turn = conversation_turn(services.conversations, conversation_id, caller.key_id, body.content)
    if "text/event-stream" in accept:
        frames = _frames(services, slots, metrics, turn)
        return EventStream(frames, NativeDialect(), request_id_of(request), stop_signal(request))
    with slots.take():
        answer = last_answer(run_turn(services.agent, services.conversations, turn))
    metrics.observe_answer(answer)
    return AnswerView.from_domain(answer)


@router.post("/v1/messages/{message_id}/feedback", status_code=204)
def give_feedback(message_id: Id, body: FeedbackRequest, caller: Customer, services: ServicesDep) -> None:
    services.conversations.add_feedback(Feedback(message_id, body.rating, body.reason, body.comment), caller.key_id)


def _frames(services: Services, slots: AnswerSlots, metrics: Metrics, turn: Turn) -> Frames:
    with slots.take(), closing(run_turn(services.agent, services.conversations, turn)) as events:
        for event in events:
            if isinstance(event, TurnFinished):
                metrics.observe_answer(event.answer)
            yield event_frame(event.kind, _event_data(event))


def _event_data(event: TurnEvent) -> dict[str, Any]:
    match event:
        case PassagesFound():
            return {"passage_ids": list(event.passage_ids), "count": len(event.passage_ids)}
        case CitationAdded():
            return CitationView.from_domain(event.citation).model_dump(mode="json")
        case SentenceVerified():
            return SentenceView.from_domain(event.sentence).model_dump(mode="json")
        case TurnFinished():
            return AnswerView.from_domain(event.answer).model_dump(mode="json")
