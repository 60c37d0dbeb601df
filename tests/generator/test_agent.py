from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from domain.chat import (
    Answer,
    AnswerPath,
    AnswerStatus,
    ChatMessage,
    CitationAdded,
    PassagesFound,
    Role,
    SentenceVerified,
    TurnEvent,
    TurnFinished,
)
from domain.documents import Passage, ScoredPassage, StoredPassage
from domain.errors import PromptTooLong, QuestionInvalid, Unavailable
from domain.ids import sha256_hex
from domain.protocols import LanguageModel, SearchContext, SearchResult
from domain.text import Span, words
from generator.agent import Agent
from generator.phrases import Courtesy, phrase
from generator.refusal import RefusalModel
from generator.settings import GeneratorSettings
from generator.turn import Turn
from tests.fakes import HashEmbedder, ScriptedLanguageModel

RETURNS = (
    "You can return a lamp within 45 days of delivery. A return label costs €5 in Ireland. "
    "Lamps that were painted cannot be returned."
)
HOURS = "The showroom is open from Monday to Saturday. It closes at 18:00."
CHEQUES = "No. We do not take cheques."


def _passage(document: str, text: str, *, start: int = 0, question: str | None = None) -> StoredPassage:
    passage = Passage(f"p-{document}", document, 3, 0, start, start + len(text), text, ("Rules",), question)
    return StoredPassage(passage, "shop", f"{document}.md", document.title())


KNOWLEDGE = [
    _passage("returns", RETURNS, start=7),
    _passage("hours", HOURS),
    _passage("faq", CHEQUES, question="Do you take cheques?"),
]


class WordSearcher:
    """Ranks the passages by the cosine of hashed words; remembers what it was asked."""

    def __init__(self, passages: Sequence[StoredPassage] = KNOWLEDGE) -> None:
        self._passages = passages
        self._embedder = HashEmbedder(2048)
        self.queries: list[str] = []
        self.contexts: list[SearchContext | None] = []

    def search(
        self, query: str, top_k: int, collection: str | None = None, context: SearchContext | None = None
    ) -> SearchResult:
        self.queries.append(query)
        self.contexts.append(context)
        vector = self._embedder.encode_queries([query])[0]
        hits = []
        for stored in self._passages:
            if collection in (None, stored.collection):
                cosine = float(self._embedder.encode_documents([stored.passage.search_text])[0] @ vector)
                asked = stored.passage.question
                same = float(self._embedder.encode_documents([asked])[0] @ vector) if asked else None
                hits.append(ScoredPassage(stored, max(cosine, 0.0), cosine, None, same))
        hits.sort(key=lambda hit: -hit.score)
        return SearchResult(tuple(hits[:top_k]), "gen-1", vector)


REFUSAL = RefusalModel(-3.78, {"top_cosines": 4.3, "gap": 1.8, "least_cover": 1.3})


def _agent(
    *composed: str, searcher: WordSearcher | None = None, grounded: bool = True, refuse_below: float = 0.0
) -> tuple[Agent, ScriptedLanguageModel]:
    """An agent whose model likes these sentences best, in this order, whatever the evidence says."""
    likes = {" ".join(text.split()[:8]): -1e3 * place for place, text in enumerate(composed)}
    model = ScriptedLanguageModel([], is_grounded=grounded, scores=likes, unlikely=-1e5)
    return _over(model, searcher, refuse_below), model


def _over(model: LanguageModel | None, searcher: WordSearcher | None = None, refuse_below: float = 0.0) -> Agent:
    settings = GeneratorSettings(refuse_below=refuse_below)
    return Agent(searcher or WordSearcher(), HashEmbedder(2048), REFUSAL, model, settings)


def _answer(events: Iterator[TurnEvent]) -> Answer:
    last = list(events)[-1]
    assert isinstance(last, TurnFinished)
    return last.answer


def _receipt(events: Iterator[TurnEvent]) -> dict[str, object]:
    last = list(events)[-1]
    assert isinstance(last, TurnFinished)
    return dict(last.receipt)


def test_composed_sentence_is_cited_with_the_exact_stretch_of_the_document() -> None:
    agent, _ = _agent("You can return a lamp within 45 days of delivery.")
    answer = _answer(agent.answer("can i return a lamp"))
    assert answer.status is AnswerStatus.ANSWERED
    assert answer.path is AnswerPath.GENERATED
    assert answer.text == "You can return a lamp within 45 days of delivery. [1]"
    (citation,) = answer.citations
    document_text = "Title\n\n" + RETURNS
    assert document_text[citation.start_char : citation.end_char] == citation.quote
    assert citation.quote == "You can return a lamp within 45 days of delivery."
    assert citation.sha256 == sha256_hex(citation.quote)
    assert (citation.source, citation.version, citation.passage_id) == ("returns.md", 3, "p-returns")
    assert answer.generation == "gen-1"
    assert answer.model == "scripted"
    assert set(answer.timings_ms) == {"retrieve", "generate", "verify", "total"}


def test_events_come_in_order_and_each_citation_before_its_first_sentence() -> None:
    agent, _ = _agent("You can return a lamp within 45 days of delivery.")
    events = list(agent.answer("can i return a lamp within 45 days, and what return label costs €5 in Ireland"))
    kinds = [event.kind for event in events]
    assert kinds == ["passages", "citation", "sentence", "citation", "sentence", "answer"]
    assert isinstance(events[0], PassagesFound)
    assert events[0].passage_ids[0] == "p-returns"
    seen: set[int] = set()
    for event in events:
        if isinstance(event, CitationAdded):
            seen.add(event.citation.n)
        if isinstance(event, SentenceVerified):
            assert set(event.sentence.citations) <= seen


def test_the_model_is_asked_once_for_a_question() -> None:
    agent, model = _agent("You can return a lamp within 45 days of delivery.", "A return label costs €5 in Ireland.")
    list(agent.answer("can i return a lamp"))
    assert len(model.prompts) == 1


def test_unsupported_sentence_is_dropped_and_says_why() -> None:
    turn = Turn("can i return a lamp")
    hit = ScoredPassage(KNOWLEDGE[0], 1.0, 1.0, None)
    assert list(turn.emit("You can return a lamp within 90 days of delivery.", [hit])) == []
    assert (turn.proven, turn.sentences) == (0, [])
    assert "90 days" in str(turn.dropped[0]["text"])
    assert "number" in str(turn.dropped[0]["reason"])


def test_sentences_of_one_place_are_quoted_as_one_and_another_place_by_itself() -> None:
    turn = Turn("can i return a lamp")
    hit = ScoredPassage(KNOWLEDGE[0], 1.0, 1.0, None)
    first, second = "You can return a lamp within 45 days of delivery. ", "A return label costs €5 in Ireland. "
    third = "Lamps that were painted cannot be returned."
    for sentence in (first, second, third):
        list(turn.emit(sentence, [hit], Span(0, len(first + second) - 1)))
    answer = turn.finish(AnswerStatus.ANSWERED, AnswerPath.GENERATED, 1.0, None, None)
    assert answer.text == f"{first}[1] {second}[1] {third} [2]"
    assert [citation.quote for citation in answer.citations] == [(first + second).strip(), third]
    assert all(("Title\n\n" + RETURNS)[c.start_char : c.end_char] == c.quote for c in answer.citations)


def test_bare_yes_from_another_question_is_not_said() -> None:
    agent, _ = _agent("No.", "A return label costs €5 in Ireland.")
    answer = _answer(agent.answer("what does a return label cost for cheques"))
    assert "No." not in answer.text


def test_when_nothing_composed_may_be_said_the_ladder_goes_on() -> None:
    class Mute(ScriptedLanguageModel):
        context_tokens = 8  # no evidence fits

    agent = _over(Mute([]))
    answer = _answer(agent.answer("what does a return label cost"))
    assert answer.path is AnswerPath.EXTRACTIVE
    assert answer.model is None
    assert "A return label costs €5 in Ireland. [" in answer.text
    assert all(" ".join(c.quote.split()) in RETURNS + HOURS for c in answer.citations)


@pytest.mark.parametrize("fault", [Unavailable("out of memory", "later"), PromptTooLong("too long", "shorten")])
def test_where_the_model_fails_the_documents_are_quoted(fault: Exception) -> None:
    class Failing(ScriptedLanguageModel):
        def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
            raise fault

    agent = _over(Failing([]))
    assert _answer(agent.answer("what does a return label cost")).path is AnswerPath.EXTRACTIVE
    (part,) = json.loads(json.dumps(_receipt(agent.answer("what does a return label cost"))))["parts"]
    assert part["notes"][0].startswith("model failed: ")
    assert part["declined"] is None


def test_without_a_grounded_model_answers_are_quoted_and_the_model_is_not_asked() -> None:
    agent, model = _agent(grounded=False)
    assert _answer(agent.answer("what does a return label cost")).path is AnswerPath.EXTRACTIVE
    assert model.prompts == []
    assert _answer(_over(None).answer("what does a return label cost")).path is AnswerPath.EXTRACTIVE


@pytest.mark.parametrize(("declining", "status"), [(0.0, AnswerStatus.REFUSED), (-9.0, AnswerStatus.ANSWERED)])
def test_what_the_model_has_for_declining_counts_where_the_calibration_weighs_it(
    declining: float, status: AnswerStatus
) -> None:
    model = ScriptedLanguageModel(
        [], scores={"You can return a lamp within 45 days": -4.0, "[0]": declining}, unlikely=-1e5
    )
    weighs = RefusalModel(0.0, {"declined": -1.0})
    agent = Agent(WordSearcher(), HashEmbedder(2048), weighs, model, GeneratorSettings(refuse_below=0.5))
    answer = _answer(agent.answer("can i return a lamp"))
    assert answer.status is status
    assert answer.confidence == pytest.approx(1 / (1 + math.exp(declining + 4.0)))


def test_low_confidence_refuses_whatever_the_model_likes() -> None:
    agent, model = _agent("You can return a lamp within 45 days of delivery.", refuse_below=1.0)
    answer = _answer(agent.answer("what about the weather on the moon"))
    assert answer.status is AnswerStatus.REFUSED
    assert answer.path is AnswerPath.REFUSAL
    assert len(model.prompts) == 1  # what it has for declining is part of the confidence
    assert answer.citations == ()
    assert answer.text == f"{phrase(Courtesy.REFUSAL, 'en').text} {phrase(Courtesy.OFFER, 'en').text}"


def test_faq_entry_that_asks_the_same_is_given_word_for_word() -> None:
    agent, model = _agent()
    answer = _answer(agent.answer("Do you take cheques?"))
    assert answer.path is AnswerPath.CURATED
    assert answer.text == "No. [1] We do not take cheques. [2]"
    assert model.prompts == []


def test_faq_entry_about_something_else_is_not_given() -> None:
    agent, _ = _agent(refuse_below=1.0)
    assert _answer(agent.answer("Do you take bitcoin cheques?")).path is AnswerPath.REFUSAL


def test_empty_knowledge_base_is_said_politely_without_calling_the_model() -> None:
    agent, model = _agent(searcher=WordSearcher([]))
    answer = _answer(agent.answer("what does a return label cost"))
    assert answer.status is AnswerStatus.REFUSED
    assert phrase(Courtesy.NO_KNOWLEDGE, "en").text in answer.text
    assert model.prompts == []


def test_collection_is_passed_on() -> None:
    agent, _ = _agent()
    assert phrase(Courtesy.NO_KNOWLEDGE, "en").text in _answer(agent.answer("return a lamp", collection="other")).text


@pytest.mark.parametrize("message", ["hello", "Thanks a lot!", "ok thank you very much, bye"])
def test_courtesies_get_a_fixed_phrase_without_a_search(message: str) -> None:
    searcher = WordSearcher()
    agent, _ = _agent(searcher=searcher)
    answer = _answer(agent.answer(message))
    assert answer.path is AnswerPath.COURTESY
    assert answer.status is AnswerStatus.ANSWERED
    assert answer.citations == ()
    assert searcher.queries == []


def test_wish_for_a_person_is_a_handoff() -> None:
    agent, _ = _agent()
    events = list(agent.answer("this does not help, let me talk to a real person"))
    assert events[-1].kind == "handoff"


def test_of_two_questions_the_answerable_one_is_answered_and_the_other_named() -> None:
    searcher = WordSearcher(KNOWLEDGE[:1])
    agent = _over(None, searcher, refuse_below=0.2)
    message = "What does a return label cost in Ireland? And who sings operas on Jupiter tonight?"
    answer = _answer(agent.answer(message))
    assert len(searcher.queries) == 2
    assert answer.status is AnswerStatus.ANSWERED
    assert answer.sentences[0].citations == (1,)
    assert answer.sentences[-1].citations == ()
    assert "sings operas on Jupiter" in answer.sentences[-1].text


def test_follow_up_is_searched_with_what_it_follows() -> None:
    searcher = WordSearcher()
    agent, _ = _agent(searcher=searcher)
    history = [ChatMessage(Role.USER, "can I return a lamp"), ChatMessage(Role.ASSISTANT, "Yes, you can. [1]")]
    list(agent.answer("and if I painted it?", history))
    list(agent.answer("What are the opening hours of your showroom on Saturday evening?", history))
    assert searcher.queries[0] == "and if I painted it?"
    follow_up, question = searcher.contexts
    assert follow_up is not None
    assert question is not None
    assert follow_up.text == "can I return a lamp Yes, you can. and if I painted it?"
    assert follow_up.share > 0.5 > question.share > 0


def test_opening_question_has_no_context() -> None:
    searcher = WordSearcher()
    agent, _ = _agent(searcher=searcher)
    list(agent.answer("can I return a lamp"))
    assert searcher.contexts == [None]


@pytest.mark.parametrize("question", ["", "  \n", "?!", "12 34", "x" * 4001, "\x00"])
def test_bad_question_is_refused_before_the_first_event(question: str) -> None:
    agent, _ = _agent()
    with pytest.raises(QuestionInvalid):
        agent.answer(question)


def test_long_question_still_fits_the_prompt() -> None:
    class Counting(ScriptedLanguageModel):
        longest = 0

        def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
            self.longest = max(self.count_tokens(prompt) + self.count_tokens(text) for text in continuations)
            return super().score(prompt, continuations)

    model = Counting([])
    answer = _answer(_over(model).answer("tell me " + "really " * 500 + "what a return label costs"))
    assert answer.path is AnswerPath.GENERATED
    assert 80 < model.longest <= model.context_tokens


def test_receipt_is_json_and_explains_the_turn() -> None:
    agent, _ = _agent("You can return a lamp within 45 days of delivery.")
    receipt = json.loads(json.dumps(_receipt(agent.answer("can i return a lamp"))))
    (part,) = receipt["parts"]
    assert part["condensed"] == "can i return a lamp"
    assert part["passages"][0]["passage_id"] == "p-returns"
    assert 0 <= part["confidence"]["value"] <= 1
    assert receipt["path"] == "generated"
    assert receipt["generation"] == "gen-1"


class Correcting(WordSearcher):
    """Puts one word right before it searches."""

    def search(
        self, query: str, top_k: int, collection: str | None = None, context: SearchContext | None = None
    ) -> SearchResult:
        right = query.replace("shvroum", "showroom")
        return replace(super().search(right, top_k, collection, context), asked=right)


def test_word_that_the_search_put_right_does_not_count_as_unknown() -> None:
    def uncovered(searcher: WordSearcher) -> list[str]:
        receipt = json.loads(json.dumps(_receipt(_agent(searcher=searcher)[0].answer("is the shvroum open"))))
        return list(receipt["parts"][0]["confidence"]["uncovered"])

    assert uncovered(WordSearcher()) == ["shvroum"]
    assert uncovered(Correcting()) == []


def test_closing_the_turn_asks_the_model_no_more() -> None:
    agent, model = _agent("You can return a lamp within 45 days of delivery.")
    events = agent.answer("return a lamp")
    assert isinstance(next(events), PassagesFound)
    events.close()  # type: ignore[attr-defined]  # generators close, the protocol promises an iterator
    assert model.prompts == []


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_model_likes_nothing_unproven_is_ever_said(seed: int) -> None:
    class Moody(ScriptedLanguageModel):
        def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
            return [random.Random(f"{seed} {text}").uniform(-20, 0) for text in continuations]

    answer = _answer(_over(Moody([])).answer("can i return a lamp"))
    evidence = " ".join(words(f"{RETURNS} {HOURS} {CHEQUES}"))
    assert answer.sentences
    for sentence in answer.sentences:
        assert sentence.citations
        assert " ".join(words(sentence.text)) in evidence


TERMS = (
    "Points are worth €4. They cannot be paid out in cash. They cannot be sold. Classes are free. "
    "However, you bring your own wire. Delivery on Sundays? No. We deliver from Monday to Friday."
)
TERMS_ONLY = [_passage("terms", TERMS)]


@pytest.mark.parametrize(
    ("composed", "said"),
    [
        (("They cannot be paid out in cash.",), "Points are worth €4. They cannot be paid out in cash. [1]"),
        (
            ("Points are worth €4.", "They cannot be sold."),
            "Points are worth €4. [1] They cannot be paid out in cash. They cannot be sold. [2]",
        ),
        (("Classes are free.",), "Classes are free. However, you bring your own wire. [1]"),
        (
            ("Classes are free.", "However, you bring your own wire."),
            "Classes are free. However, you bring your own wire. [1]",
        ),
        (("Delivery on Sundays?",), "Delivery on Sundays? No. [1]"),
        (
            ("Points are worth €4.", "They cannot be paid out in cash."),
            "Points are worth €4. [1] They cannot be paid out in cash. [2]",
        ),
    ],
)
def test_half_a_thought_is_said_with_its_other_half(composed: tuple[str, ...], said: str) -> None:
    turn = Turn("points cash sold classes delivery sundays")
    for sentence in composed:
        list(turn.emit(sentence, [ScoredPassage(TERMS_ONLY[0], 1.0, 1.0, None)]))
    answer = turn.finish(AnswerStatus.ANSWERED, AnswerPath.GENERATED, 1.0, None, None)
    assert answer.text == said
    assert all(TERMS[c.start_char : c.end_char] == c.quote == c.quote.strip() for c in answer.citations)


def test_item_under_a_denying_heading_is_not_said_as_a_fact() -> None:
    passage = Passage(
        "p-w", "w", 1, 0, 0, 44, "Damage from a fall.\nLamps are not insured.", ("Warranty", "What we do not cover")
    )
    searcher = WordSearcher([StoredPassage(passage, "shop", "w.md", "W")])
    agent, _ = _agent("Damage from a fall.", searcher=searcher)
    assert "Damage from a fall." not in _answer(agent.answer("do you cover damage from a fall")).text
    assert _answer(agent.answer("what is not covered, damage from a fall?")).text == "Damage from a fall. [1]"


def test_number_in_brackets_of_a_document_is_no_citation_mark() -> None:
    searcher = WordSearcher([_passage("manual", "Press the button [2] twice.")])
    agent, _ = _agent(searcher=searcher)
    assert _answer(agent.answer("which button to press")).text == "Press the button (2) twice. [1]"


class PromotedMeanwhile(WordSearcher):
    """Another generation is promoted after the first search."""

    def search(
        self, query: str, top_k: int, collection: str | None = None, context: SearchContext | None = None
    ) -> SearchResult:
        result = super().search(query, top_k, collection, context)
        return replace(result, generation="gen-1" if len(self.queries) == 1 else "gen-2")


def test_promotion_between_the_searches_of_a_turn_never_mixes_two_generations() -> None:
    searcher = PromotedMeanwhile()
    agent, _ = _agent(searcher=searcher)
    receipt = _receipt(agent.answer("When are you open? And do you take cheques?"))
    assert receipt["generation"] == "gen-2"
    assert searcher.queries == 2 * searcher.queries[:2]  # both were searched again, in the new one
