"""Answers that customers rated, read for training."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, select

from domain.ratings import RatedAnswer
from storage.rows import to_answer
from storage.tables import answers, feedback
from storage.transactions import reading


class RatingStore:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def iterate_rated(self) -> Iterator[RatedAnswer]:
        """Every rated answer, oldest first.

        A turn of several parts is asked as it was typed; a turn of one part as it was searched for, which a follow-up
        needs to make sense alone.
        """
        joined = feedback.join(answers, answers.c.answer_id == feedback.c.message_id)
        columns = (answers.c.question, answers.c.receipt, answers.c.body, feedback.c.rating)
        query = select(*columns).select_from(joined).order_by(answers.c.created_at, answers.c.answer_id)
        with reading(self._engine) as connection:
            for row in connection.execute(query).mappings():
                parts = row["receipt"].get("parts") or []
                asked = parts[0].get("condensed") if len(parts) == 1 else None
                yield RatedAnswer(asked or row["question"], to_answer(row["body"]), row["rating"] == "up")
