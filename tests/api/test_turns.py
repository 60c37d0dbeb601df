from __future__ import annotations

import pytest

from api.turns import Turn, answer_once, conversation_turn, last_answer, run_turn
from domain.chat import ChatMessage, Role, TurnFinished
from domain.errors import AnswerNotFound, ConversationNotFound, QuestionInvalid
from tests.api.conftest import Desk

WARRANTY = "How long is the warranty on a lamp?"


def test_answer_is_recorded_before_its_event_is_given_out(shop: Desk) -> None:
    services = shop.services
    for event in run_turn(services.agent, services.conversations, Turn(WARRANTY)):
        if isinstance(event, TurnFinished):
            assert services.conversations.answer(event.answer.answer_id) == event.answer


def test_unusable_question_is_refused_before_any_event_is_asked_for(shop: Desk) -> None:
    with pytest.raises(QuestionInvalid):
        run_turn(shop.services.agent, shop.services.conversations, Turn("  "))


def test_turn_that_is_closed_early_records_nothing(shop: Desk) -> None:
    conversations = shop.services.conversations
    conversation = conversations.create("owner", None)
    turn = conversation_turn(conversations, conversation.conversation_id, "owner", WARRANTY)
    events = run_turn(shop.services.agent, conversations, turn)
    next(events)
    events.close()
    assert conversations.messages(conversation.conversation_id) == []


def test_history_is_the_conversations_latest_messages_in_order(shop: Desk) -> None:
    conversations = shop.services.conversations
    conversation_id = conversations.create("owner", "shop").conversation_id
    for question in ("Hello", WARRANTY):
        turn = conversation_turn(conversations, conversation_id, "owner", question)
        last_answer(run_turn(shop.services.agent, conversations, turn))
    turn = conversation_turn(conversations, conversation_id, "owner", "And for a bulb?")
    assert turn.collection == "shop"
    assert [message.role for message in turn.history] == [Role.USER, Role.ASSISTANT] * 2
    assert turn.history[2] == ChatMessage(Role.USER, WARRANTY)


def test_another_owner_cannot_continue_a_conversation(shop: Desk) -> None:
    conversation_id = shop.services.conversations.create("owner", None).conversation_id
    with pytest.raises(ConversationNotFound):
        conversation_turn(shop.services.conversations, conversation_id, "somebody", WARRANTY)


def test_one_question_is_answered_and_kept_with_its_receipt(shop: Desk) -> None:
    answer = answer_once(shop.services, WARRANTY, collection="shop")
    assert shop.services.conversations.receipt(answer.answer_id)["question"] == WARRANTY
    with pytest.raises(AnswerNotFound):
        shop.services.conversations.receipt("0199-nothing")
