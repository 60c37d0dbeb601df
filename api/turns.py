"""One customer turn, from the question to the recorded answer; HTTP routes and the command line share it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import cast

from api.bootstrap import Services
from domain.chat import Answer, ChatMessage, TurnEvent, TurnFinished
from generator.agent import Agent
from storage.conversations import ConversationStore

_HISTORY_MESSAGES = 20  # what condensing a question can make use of, with room to spare


@dataclass(frozen=True, slots=True)
class Turn:
    """What the customer asks and against what background; ``conversation_id`` None leaves no transcript."""

    question: str
    history: tuple[ChatMessage, ...] = ()
    collection: str | None = None
    conversation_id: str | None = None


def conversation_turn(conversations: ConversationStore, conversation_id: str, owner: str, question: str) -> Turn:
    """The next turn of a stored conversation.

    Raises:
        ConversationNotFound: unknown, or somebody else's.
    """
    conversation = conversations.get(conversation_id, owner)
    messages = conversations.messages(conversation_id, _HISTORY_MESSAGES)
    history = tuple(ChatMessage(message.role, message.content) for message in messages)
    return Turn(question, history, conversation.collection, conversation_id)


def run_turn(agent: Agent, conversations: ConversationStore, turn: Turn) -> Generator[TurnEvent, None, None]:
    """The events of a turn. The answer is recorded with its receipt before its event is given out, so that whoever
    has the event can give feedback on it. Closing the generator stops the composing and records nothing.

    Raises:
        QuestionInvalid: at once, before the generator is returned.
    """
    return _events(agent, conversations, replace(turn, question=agent.validate(turn.question)))


def answer_once(services: Services, question: str, *, collection: str | None = None) -> Answer:
    """One question without a conversation, answered and recorded."""
    return last_answer(run_turn(services.agent, services.conversations, Turn(question, collection=collection)))


def last_answer(events: Iterable[TurnEvent]) -> Answer:
    """Run a turn to its end and keep the answer alone."""
    answer: Answer | None = None
    for event in events:
        if isinstance(event, TurnFinished):
            answer = event.answer
    if answer is None:
        raise RuntimeError("a turn ended without an answer")
    return answer


def _events(agent: Agent, conversations: ConversationStore, turn: Turn) -> Generator[TurnEvent, None, None]:
    # A generator, whatever the signature promises: closing it stops the decoding at the next token.
    events = cast(Generator[TurnEvent, None, None], agent.answer(turn.question, turn.history, turn.collection))
    with closing(events):
        for event in events:
            if isinstance(event, TurnFinished):
                _record(conversations, turn, event)
            yield event


def _record(conversations: ConversationStore, turn: Turn, finished: TurnFinished) -> None:
    if turn.conversation_id is None:
        conversations.record_answer(finished.answer, turn.question, finished.receipt)
    else:
        conversations.record_turn(turn.conversation_id, turn.question, finished.answer, finished.receipt)
