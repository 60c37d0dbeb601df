"""From a customer's message to the searches it needs: one for each question in it, each made to stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from domain.chat import ChatMessage, Role
from domain.documents import ScoredPassage
from domain.protocols import SearchContext, Searcher, SearchResult
from generator import courtesy
from generator.condense import carried, condense, conversation, is_follow_up, join_part, last_answer
from generator.phrases import is_refusal
from generator.prompt import ask_after
from generator.questions import split_questions

# Of a passage's score, the share of what was said before: most where the question says little by itself. A new matter
# is found no worse than before with these, and a follow-up nearly as well as an opening question (docs/retriever.md).
_SHARE_OF_FOLLOW_UP = 0.7
_SHARE_OF_QUESTION = 0.3


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """``part`` is the question as the customer put it, ``query`` the same made to stand alone, by which sentences are
    judged; where a conversation went before, ``part`` is searched for in that ``context``. ``told``: the last answer;
    ``before``: the beginnings of the last question and of its answer, or the part before that this one leans on.
    """

    part: str
    query: str
    context: SearchContext | None = None
    told: str = ""
    before: str = ""

    def run(self, searcher: Searcher, top_k: int, collection: str | None) -> SearchResult:
        return searcher.search(self.part if self.context else self.query, top_k, collection, self.context)

    def as_searched(self, result: SearchResult) -> str:
        """``part`` with its slips put right as the search did; as it stands where it was not searched for by itself."""
        by_itself = self.context is not None or self.part == self.query
        return result.asked if result.asked and by_itself else self.part

    def as_composed(self, result: SearchResult) -> str:
        """What the GPT-2 is asked: ``part``, behind what was said before it."""
        return ask_after(self.before, self.as_searched(result))


def plan_searches(message: str, history: Sequence[ChatMessage], max_chars: int) -> list[PlannedSearch]:
    """At least one search; a later part may lean on an earlier one as a follow-up leans on the turn before.

    A part that would grow beyond ``max_chars`` by what is carried into it is searched for as it stands.
    """
    planned: list[PlannedSearch] = []
    history = _without_courtesies(history)
    answered = _without_refusals(history)
    told = last_answer(history)
    for part in split_questions(courtesy.without_greeting(message)):
        said = history if is_follow_up(part) else answered
        query = join_part(part, planned[-1].query) if planned else condense(part, said)
        context = None if planned else _context(part, said, max_chars)
        before = query.removesuffix(part).strip() if planned else carried(said)
        planned.append(PlannedSearch(part, query if len(query) <= max_chars else part, context, told, before))
    return planned


def _context(part: str, history: Sequence[ChatMessage], max_chars: int) -> SearchContext | None:
    said = f"{conversation(history)} {part}"
    if not history or len(said) > max_chars:
        return None
    return SearchContext(said, _SHARE_OF_FOLLOW_UP if is_follow_up(part) else _SHARE_OF_QUESTION)


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


def _without_refusals(history: Sequence[ChatMessage]) -> list[ChatMessage]:
    """What was asked in vain tells nothing of a new question; one that leans on it is another matter."""
    kept: list[ChatMessage] = []
    for message in history:
        if message.role is not Role.USER and is_refusal(message.content):
            while kept and kept[-1].role is Role.USER:
                kept.pop()
        else:
            kept.append(message)
    return kept


def interleave(rankings: Sequence[Sequence[ScoredPassage]]) -> list[ScoredPassage]:
    """The best of every ranking, then the second best, and so on; each passage once."""
    hits = (hit for hit in chain.from_iterable(zip_longest(*rankings)) if hit is not None)
    return list({hit.passage.passage_id: hit for hit in hits}.values())
