"""Conversations keep their order, their owner, and every answer with its proof."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from domain.chat import Answer, AnswerPath, AnswerStatus, Citation, Feedback, Role, Sentence
from domain.errors import AnswerNotFound, ConversationNotFound
from domain.ids import new_id, sha256_hex
from storage.conversations import ConversationStore

QUOTE = "Orders ship within two days — “always”. 発送は二日以内です。"
RECEIPT = {"generation": "g1", "passages": [{"id": "p1", "score": 0.5}]}


def _answer(text: str = "Within two days. [1]") -> Answer:
    citation = Citation(1, "doc", "faq.md", "FAQ", 2, "p1", 10, 10 + len(QUOTE), QUOTE, sha256_hex(QUOTE), 0.75)
    return Answer(
        answer_id=new_id(),
        text=text,
        status=AnswerStatus.ANSWERED,
        path=AnswerPath.EXTRACTIVE,
        confidence=0.8,
        sentences=(Sentence("Within two days.", (1,)),),
        citations=(citation,),
        generation="g1",
        model=None,
        timings_ms={"retrieve": 1.5, "total": 2.0},
    )


def test_an_answer_comes_back_equal(conversations: ConversationStore) -> None:
    answer = _answer()
    conversations.record_answer(answer, "When?", RECEIPT)
    assert conversations.answer(answer.answer_id) == answer
    assert conversations.receipt(answer.answer_id) == RECEIPT


def test_a_turn_is_two_messages_and_the_assistants_has_the_answers_id(conversations: ConversationStore) -> None:
    conversation = conversations.create("owner", "shop")
    answer = _answer()
    stored = conversations.record_turn(conversation.conversation_id, "When?", answer, RECEIPT)
    asked, answered = conversations.messages(conversation.conversation_id)
    assert answered == stored
    assert (asked.role, asked.content, asked.answer) == (Role.USER, "When?", None)
    assert (answered.message_id, answered.role, answered.answer) == (answer.answer_id, Role.ASSISTANT, answer)
    assert conversations.answer(answer.answer_id) == answer


def test_messages_are_in_order_and_the_last_ones_win_the_limit(conversations: ConversationStore) -> None:
    conversation = conversations.create("owner", None)
    for number in range(3):
        conversations.record_turn(conversation.conversation_id, f"Q{number}", _answer(f"A{number}"), {})
    contents = [message.content for message in conversations.messages(conversation.conversation_id)]
    assert contents == ["Q0", "A0", "Q1", "A1", "Q2", "A2"]
    last = conversations.messages(conversation.conversation_id, limit=2)
    assert [message.content for message in last] == ["Q2", "A2"]


def test_turns_at_once_do_not_interleave(conversations: ConversationStore) -> None:
    conversation_id = conversations.create("owner", None).conversation_id

    def talk(number: int) -> None:
        conversations.record_turn(conversation_id, str(number), _answer(str(number)), {})

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = [message.content for message in conversations.messages(conversation_id)]
    assert len(contents) == 16
    assert contents[::2] == contents[1::2]


def test_the_wrong_owner_finds_nothing(conversations: ConversationStore) -> None:
    conversation = conversations.create("owner", "shop")
    assert conversations.get(conversation.conversation_id, "owner") == conversation
    assert conversations.get(conversation.conversation_id) == conversation
    with pytest.raises(ConversationNotFound):
        conversations.get(conversation.conversation_id, "another")


def test_an_unknown_conversation_is_not_found(conversations: ConversationStore) -> None:
    answer = _answer()
    with pytest.raises(ConversationNotFound):
        conversations.get("missing")
    with pytest.raises(ConversationNotFound):
        conversations.messages("missing")
    with pytest.raises(ConversationNotFound):
        conversations.record_turn("missing", "When?", answer, {})
    with pytest.raises(AnswerNotFound):
        conversations.answer(answer.answer_id)
    with pytest.raises(AnswerNotFound):
        conversations.receipt(answer.answer_id)


def test_feedback_is_replaced_by_a_second_thought(conversations: ConversationStore) -> None:
    answer = _answer()
    conversations.record_answer(answer, "When?", {})
    assert conversations.feedback(answer.answer_id) is None
    first = Feedback(answer.answer_id, "down", "wrong", "It took a week.")
    conversations.add_feedback(first)
    assert conversations.feedback(answer.answer_id) == first
    second = dataclasses.replace(first, rating="up", reason=None, comment=None)
    conversations.add_feedback(second)
    assert conversations.feedback(answer.answer_id) == second


def test_feedback_on_another_customers_answer_is_refused(conversations: ConversationStore) -> None:
    conversation = conversations.create("owner", None)
    answer = _answer()
    conversations.record_turn(conversation.conversation_id, "When?", answer, {})
    given = Feedback(answer.answer_id, "up", None, None)
    with pytest.raises(AnswerNotFound):
        conversations.add_feedback(given, "somebody else")
    assert conversations.feedback(answer.answer_id) is None
    conversations.add_feedback(given, "owner")
    assert conversations.feedback(answer.answer_id) == given


def test_feedback_needs_an_assistants_message(conversations: ConversationStore) -> None:
    conversation = conversations.create("owner", None)
    conversations.record_turn(conversation.conversation_id, "When?", _answer(), {})
    asked = conversations.messages(conversation.conversation_id)[0]
    for message_id in ("missing", asked.message_id):
        with pytest.raises(AnswerNotFound):
            conversations.add_feedback(Feedback(message_id, "up", None, None))
