"""Conversations, the answers given in them and elsewhere, and what customers thought of those."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select

from domain.chat import Answer, Conversation, Feedback, Role, StoredMessage
from domain.errors import AnswerNotFound, ConversationNotFound
from domain.ids import new_id
from storage.rows import from_answer, to_answer, to_conversation, to_message
from storage.tables import answers, conversations, feedback, messages
from storage.transactions import database_time, reading, upsert, writing

MAX_MESSAGES = 1000


class ConversationStore:
    """An answer is stored once, whole, with its receipt; a conversation's assistant message points at it by id."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, owner: str, collection: str | None) -> Conversation:
        """``owner`` is the id of the API key or anonymous session; ``collection`` narrows every search (None: all)."""
        with writing(self._engine) as connection:
            conversation = Conversation(new_id(), collection, owner, database_time(connection))
            row = {
                "conversation_id": conversation.conversation_id,
                "collection": collection,
                "owner": owner,
                "created_at": conversation.created_at,
            }
            connection.execute(insert(conversations).values(**row))
            return conversation

    def get(self, conversation_id: str, owner: str | None = None) -> Conversation:
        """With ``owner``, another's conversation is as good as missing, so that ids cannot be probed.

        Raises:
            ConversationNotFound
        """
        with reading(self._engine) as connection:
            return _read_conversation(connection, conversation_id, owner)

    def messages(self, conversation_id: str, limit: int = MAX_MESSAGES) -> list[StoredMessage]:
        """The last ``limit`` messages, oldest first.

        Raises:
            ConversationNotFound
        """
        query = (
            select(messages, answers.c.body)
            .outerjoin(answers, answers.c.answer_id == messages.c.message_id)
            .where(messages.c.conversation_id == conversation_id)
            .order_by(messages.c.position.desc())
            .limit(min(limit, MAX_MESSAGES))
        )
        with reading(self._engine) as connection:
            _read_conversation(connection, conversation_id)
            return [to_message(row) for row in connection.execute(query).mappings()][::-1]

    def record_turn(
        self, conversation_id: str, question: str, answer: Answer, receipt: Mapping[str, Any]
    ) -> StoredMessage:
        """Append the customer's message and the assistant's, and store the answer with its JSON ``receipt``.

        Raises:
            ConversationNotFound
        """
        with writing(self._engine) as connection:
            # Two turns of one conversation take their positions one after the other.
            held = select(conversations).where(conversations.c.conversation_id == conversation_id).with_for_update()
            if connection.execute(held).first() is None:
                raise _no_conversation(conversation_id)
            last = select(func.max(messages.c.position)).where(messages.c.conversation_id == conversation_id)
            position = (connection.execute(last).scalar_one() or 0) + 1
            now = database_time(connection)
            said = ((new_id(), Role.USER, question), (answer.answer_id, Role.ASSISTANT, answer.text))
            rows = [
                {
                    "message_id": message_id,
                    "conversation_id": conversation_id,
                    "position": position + offset,
                    "role": role,
                    "content": content,
                    "created_at": now,
                }
                for offset, (message_id, role, content) in enumerate(said)
            ]
            connection.execute(insert(messages), rows)
            _insert_answer(connection, answer, question, receipt, now)
            return StoredMessage(answer.answer_id, conversation_id, Role.ASSISTANT, answer.text, now, answer)

    def record_answer(self, answer: Answer, question: str, receipt: Mapping[str, Any]) -> None:
        """Store an answer outside any conversation, as the command line and stateless completions give them."""
        with writing(self._engine) as connection:
            _insert_answer(connection, answer, question, receipt, database_time(connection))

    def answer(self, answer_id: str) -> Answer:
        """
        Raises:
            AnswerNotFound
        """
        with reading(self._engine) as connection:
            return to_answer(_read_answer_column(connection, answer_id, "body"))

    def receipt(self, answer_id: str) -> dict[str, Any]:
        """How the answer came about, for operators only.

        Raises:
            AnswerNotFound
        """
        with reading(self._engine) as connection:
            return dict(_read_answer_column(connection, answer_id, "receipt"))

    def add_feedback(self, given: Feedback, owner: str | None = None) -> None:
        """One row a message: the customer who thinks again replaces it.

        With ``owner``, an answer of another's conversation is as good as missing; an answer given outside of any
        conversation may be rated by whoever knows its id.

        Raises:
            AnswerNotFound: no assistant's message has this id.
        """
        with writing(self._engine) as connection:
            _read_answer_column(connection, given.message_id, "status")
            if owner is not None and _owner_of_message(connection, given.message_id) not in (None, owner):
                raise _no_answer(given.message_id)
            opinion = {
                "rating": given.rating,
                "reason": given.reason,
                "comment": given.comment,
                "created_at": database_time(connection),
            }
            statement = upsert(connection, feedback).values(message_id=given.message_id, **opinion)
            connection.execute(statement.on_conflict_do_update(index_elements=[feedback.c.message_id], set_=opinion))

    def feedback(self, message_id: str) -> Feedback | None:
        query = select(feedback).where(feedback.c.message_id == message_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Feedback(row["message_id"], row["rating"], row["reason"], row["comment"])


def _read_conversation(connection: Connection, conversation_id: str, owner: str | None = None) -> Conversation:
    query = select(conversations).where(conversations.c.conversation_id == conversation_id)
    if owner is not None:
        query = query.where(conversations.c.owner == owner)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise _no_conversation(conversation_id)
    return to_conversation(row)


def _read_answer_column(connection: Connection, answer_id: str, column: str) -> Any:
    row = connection.execute(select(answers.c[column]).where(answers.c.answer_id == answer_id)).first()
    if row is None:
        raise _no_answer(answer_id)
    return row[0]


def _owner_of_message(connection: Connection, message_id: str) -> str | None:
    """None for an answer outside of any conversation."""
    joined = conversations.join(messages, conversations.c.conversation_id == messages.c.conversation_id)
    query = select(conversations.c.owner).select_from(joined).where(messages.c.message_id == message_id)
    return connection.execute(query).scalar_one_or_none()


def _no_answer(answer_id: str) -> AnswerNotFound:
    return AnswerNotFound(f"There is no answer {answer_id}.", "Use the answer_id of an answer that was given here.")


def _insert_answer(
    connection: Connection, answer: Answer, question: str, receipt: Mapping[str, Any], now: datetime
) -> None:
    row = {
        "answer_id": answer.answer_id,
        "question": question,
        "status": answer.status,
        "path": answer.path,
        "body": from_answer(answer),
        "receipt": dict(receipt),
        "created_at": now,
    }
    connection.execute(insert(answers).values(**row))


def _no_conversation(conversation_id: str) -> ConversationNotFound:
    return ConversationNotFound(f"There is no conversation {conversation_id}.", "Start a new one.")
