from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from domain.chat import ChatMessage, Role
from domain.documents import Passage, ScoredPassage, StoredPassage
from domain.protocols import SearchResult
from generator.phrases import LANGUAGES, Courtesy, phrase
from generator.search_plan import interleave, plan_searches


def _said(role: Role, content: str) -> ChatMessage:
    return ChatMessage(role, content)


def _hit(passage_id: str) -> ScoredPassage:
    passage = Passage(passage_id, "d", 1, 0, 0, 4, "text")
    return ScoredPassage(StoredPassage(passage, "shop", "a.md", "A"), 0.5, 0.5, None)


def test_follow_up_is_searched_for_with_what_it_follows() -> None:
    history = [_said(Role.USER, "Do you repair kettles?"), _said(Role.ASSISTANT, "Yes. A repair costs 25 EUR. [1]")]
    (search,) = plan_searches("and how long?", history, 4000)
    assert search.part == "and how long?"
    assert search.query == "Do you repair kettles? Yes. A repair costs 25 EUR. and how long?"
    assert search.context is not None
    assert search.context.text == search.query
    assert search.told == "Yes. A repair costs 25 EUR."


def test_question_after_a_greeting_is_searched_for_by_itself() -> None:
    history = [_said(Role.USER, "Hello"), _said(Role.ASSISTANT, "Hello! What would you like to know?")]
    (search,) = plan_searches("How long is the warranty?", history, 4000)
    assert search.query == "How long is the warranty?"


@pytest.mark.parametrize("language", LANGUAGES)
def test_question_that_stayed_unanswered_tells_nothing_of_a_new_one(language: str) -> None:
    refusal = " ".join(phrase(said, language).text for said in (Courtesy.REFUSAL, Courtesy.OFFER))
    kettles = [_said(Role.USER, "Do you repair kettles?"), _said(Role.ASSISTANT, "Yes. A repair costs 25 EUR. [1]")]
    vain = [_said(Role.USER, "Do you have a shop in London?"), _said(Role.ASSISTANT, refusal)]
    (alone,) = plan_searches("How much is delivery to Norway?", vain, 4000)
    assert (alone.context, alone.before) == (None, "")
    (after,) = plan_searches("How much is delivery to Norway?", [*kettles, *vain], 4000)
    assert after.before == "Do you repair kettles? Yes. A repair costs 25 EUR."
    (leaning,) = plan_searches("and in Paris?", vain, 4000)
    assert "London" in leaning.query


def test_each_question_of_a_message_is_searched_for() -> None:
    searches = plan_searches("What does engraving cost? And do you have a car park?", [], 4000)
    assert [search.part for search in searches] == ["What does engraving cost?", "And do you have a car park?"]


def test_what_would_grow_too_long_is_searched_for_as_it_stands() -> None:
    history = [_said(Role.USER, "kettle " * 30)]
    (search,) = plan_searches("and how long?", history, 50)
    assert search.query == "and how long?"
    assert search.context is None


def test_only_the_last_two_exchanges_are_the_context() -> None:
    history = [_said(Role.USER if n % 2 == 0 else Role.ASSISTANT, f"matter {n}") for n in range(6)]
    (search,) = plan_searches("and how long?", history, 4000)
    assert search.context is not None
    assert search.context.text == "matter 2 matter 3 matter 4 matter 5 and how long?"


def test_interleaving_takes_the_best_of_each_first_and_each_passage_once() -> None:
    merged = interleave([[_hit("a"), _hit("b"), _hit("c")], [_hit("b"), _hit("d")], []])
    assert [hit.passage.passage_id for hit in merged] == ["a", "b", "d", "c"]


def test_question_is_known_as_it_was_searched_for_unless_it_was_joined_to_another() -> None:
    result = SearchResult((), None, np.zeros(1, dtype=np.float32), asked="how long is the guarantee")
    (alone,) = plan_searches("how long is the garantee", [], 4000)
    assert alone.as_searched(result) == "how long is the guarantee"
    assert alone.as_searched(replace(result, asked="")) == "how long is the garantee"
    _, joined = plan_searches("Do you repair kettles? And how long does it take?", [], 4000)
    assert joined.part != joined.query
    assert joined.as_searched(result) == joined.part
