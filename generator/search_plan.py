"""From a customer's message to the searches it needs: one for each question in it, each made to stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from domain.chat import ChatMessage, Role
from domain.documents import ScoredPassage
from generator import courtesy
from generator.condense import condense, join_part
from generator.questions import split_questions


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """``part`` is the question as the customer put it, ``query`` what is searched for."""

    part: str
    query: str


def plan_searches(message: str, history: Sequence[ChatMessage], max_chars: int) -> list[PlannedSearch]:
    """At least one search; a later part may lean on an earlier one as a follow-up leans on the turn before.

    A part that would grow beyond ``max_chars`` by what is carried into it is searched for as it stands.
    """
    planned: list[PlannedSearch] = []
    history = _without_courtesies(history)
    for part in split_questions(courtesy.without_greeting(message)):
        query = join_part(part, planned[-1].query) if planned else condense(part, history)
        planned.append(PlannedSearch(part, query if len(query) <= max_chars else part))
    return planned


def _without_courtesies(history: Sequence[ChatMessage]) -> list[ChatMessage]:
    """A greeting and its reply are no matter that a question could follow up."""
    kept: list[ChatMessage] = []
    is_courtesy = False
    for message in history:
        if message.role is Role.USER:
            is_courtesy = courtesy.recognise(message.content) is not None
        if not is_courtesy:
            kept.append(message)
    return kept


def interleave(rankings: Sequence[Sequence[ScoredPassage]]) -> list[ScoredPassage]:
    """The best of every ranking, then the second best, and so on; each passage once."""
    hits = (hit for hit in chain.from_iterable(zip_longest(*rankings)) if hit is not None)
    return list({hit.passage.passage_id: hit for hit in hits}.values())
