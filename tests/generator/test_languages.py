"""A turn whose customer and documents do not share a language."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from domain.chat import Answer, AnswerPath, AnswerStatus, ChatMessage, Role, SentenceVerified, TurnEvent, TurnFinished
from domain.documents import Passage, ScoredPassage, StoredPassage
from domain.ids import sha256_hex
from domain.protocols import SearchContext, SearchResult
from generator.agent import Agent
from generator.ladder import Reading
from generator.phrases import Courtesy, not_found, notice, phrase
from generator.refusal import RefusalModel
from generator.settings import GeneratorSettings
from tests.fakes import HashEmbedder, MarkedReader, ScriptedLanguageModel

ENGLISH = "You can return a lamp within 45 days of delivery. A return label costs €5 in Ireland."
CHINESE = "未拆封的茶叶可以在七天内退货。退货运费由顾客承担，每单八元。"
REFUSAL = RefusalModel(-3.78, {"top_cosines": 4.3, "least_cover": 1.3})


def _stored(name: str, text: str) -> StoredPassage:
    passage = Passage(f"p-{name}", name, 1, 0, 0, len(text), text, ("Rules",), None)
    return StoredPassage(passage, "shop", f"{name}.md", name.title())


class _Searcher:
    """Finds these passages, best first, whatever is asked."""

    def __init__(self, *passages: StoredPassage) -> None:
        self._hits = tuple(ScoredPassage(stored, 0.8, 0.8, None, None) for stored in passages)

    def search(
        self, query: str, top_k: int, collection: str | None = None, context: SearchContext | None = None
    ) -> SearchResult:
        return SearchResult(self._hits[:top_k], "gen-1", HashEmbedder(256).encode_queries([query])[0])


def _turn(
    question: str,
    *passages: StoredPassage,
    history: Sequence[ChatMessage] = (),
    refuse_below: float = 0.0,
    reading: Reading | None = None,
) -> tuple[list[TurnEvent], Answer, ScriptedLanguageModel]:
    model = ScriptedLanguageModel([], scores={"": -9e3})
    settings = GeneratorSettings(refuse_below=refuse_below)
    agent = Agent(_Searcher(*passages), HashEmbedder(256), REFUSAL, model, settings, reading)
    events = list(agent.answer(question, history))
    assert isinstance(events[-1], TurnFinished)
    return events, events[-1].answer, model


def test_english_document_is_quoted_to_a_chinese_customer_behind_a_notice() -> None:
    events, answer, model = _turn("台灯多久之内可以退货？", _stored("returns", ENGLISH))
    said = notice("en", "zh").text
    assert (answer.status, answer.path, answer.language) == (AnswerStatus.ANSWERED, AnswerPath.EXTRACTIVE, "zh")
    assert answer.notice == said
    assert answer.text.startswith(f"{said} You can return")
    assert answer.sentences[0].citations == ()
    assert all(sentence.citations for sentence in answer.sentences[1:])
    assert [e.sentence.text for e in events if isinstance(e, SentenceVerified)] == [s.text for s in answer.sentences]
    assert model.prompts == []  # the GPT-2 knows English only
    assert all(
        citation.quote in ENGLISH and sha256_hex(citation.quote) == citation.sha256 for citation in answer.citations
    )


def test_chinese_document_is_quoted_to_an_english_customer_behind_a_notice() -> None:
    _, answer, model = _turn("Who pays for the return of unopened tea?", _stored("tea", CHINESE))
    assert (answer.language, answer.notice) == ("en", notice("zh", "en").text)
    assert answer.sentences[1].text in CHINESE
    assert model.prompts == []


def test_customer_who_reads_the_document_gets_no_notice() -> None:
    for question, text in (("退货运费谁出？", CHINESE), ("Who pays for the label?", ENGLISH)):
        _, answer, _ = _turn(question, _stored("rules", text))
        assert answer.notice is None
        assert all(sentence.citations for sentence in answer.sentences)


def test_each_language_is_announced_once() -> None:
    _, answer, _ = _turn(
        "¿Puedo devolver la lámpara? ¿Cuánto cuesta la devolución?",
        _stored("returns", ENGLISH),
        _stored("tea", CHINESE),
    )
    notices = [sentence.text for sentence in answer.sentences if not sentence.citations]
    assert len(notices) == len(set(notices)) >= 1
    assert answer.notice == " ".join(notices)


def test_message_too_short_to_tell_is_answered_in_the_language_of_the_one_before() -> None:
    history = [ChatMessage(Role.USER, "¿Cuánto cuesta el envío?"), ChatMessage(Role.ASSISTANT, "It costs €5. [1]")]
    _, answer, _ = _turn("Otter?", _stored("returns", ENGLISH), history=history)
    assert answer.language == "es"
    assert answer.notice == notice("en", "es").text


def test_nothing_is_said_about_languages_when_the_customers_is_not_known() -> None:
    _, answer, _ = _turn("Otter?", _stored("tea", CHINESE))
    assert (answer.language, answer.notice) == ("en", None)


def test_customer_whose_language_has_no_phrases_hears_english_and_no_notice_about_english() -> None:
    _, answer, _ = _turn("Quanto tempo ho per restituire una lampada?", _stored("returns", ENGLISH))
    assert (answer.language, answer.notice) == ("en", None)


@pytest.mark.parametrize(
    ("question", "language"), [("你们卖咖啡吗？", "zh"), ("Verkaufen Sie Deckenventilatoren?", "de")]
)
def test_refusal_and_offer_are_in_the_customers_language(question: str, language: str) -> None:
    _, answer, _ = _turn(question, _stored("returns", ENGLISH), refuse_below=0.99)
    wanted = (Courtesy.REFUSAL, Courtesy.OFFER)
    assert answer.status is AnswerStatus.REFUSED
    assert answer.text == " ".join(phrase(courtesy, language).text for courtesy in wanted)
    assert answer.notice is None


def test_order_of_ones_own_is_out_of_scope_in_other_languages() -> None:
    for question, language in (("我的订单 48213 到哪里了？", "zh"), ("أين طلبي رقم 48213؟", "ar")):
        _, answer, _ = _turn(question, _stored("returns", ENGLISH))
        assert answer.text.startswith(phrase(Courtesy.PRIVATE, language).text)


def test_thanks_are_returned_in_their_language() -> None:
    _, answer, _ = _turn("gracias")
    assert answer.text == phrase(Courtesy.THANKS, "es").text
    assert answer.language == "es"


def test_phrase_with_the_unanswered_part_is_in_the_customers_language() -> None:
    assert (
        not_found("¿Venden ventiladores?", "es").text
        == "No he encontrado nada sobre «Venden ventiladores» en nuestros documentos."
    )


def test_question_in_another_language_is_judged_by_its_meaning_not_by_its_words() -> None:
    events, _, _ = _turn("台灯多久之内可以退货？", _stored("returns", ENGLISH))
    finished = events[-1]
    assert isinstance(finished, TurnFinished)
    (part,) = json.loads(json.dumps(finished.receipt))["parts"]
    assert part["in_english"] is False
    assert part["confidence"]["uncovered"] == []
    assert part["confidence"]["least_cover"] > 0


def test_kind_of_answer_is_not_missed_in_a_language_whose_amounts_are_not_read() -> None:
    events, _, _ = _turn("How much is the return of tea?", _stored("tea", CHINESE))
    finished = events[-1]
    assert isinstance(finished, TurnFinished)
    (part,) = json.loads(json.dumps(finished.receipt))["parts"]
    assert part["confidence"]["holds_answer_type"] == 0


def test_reader_is_asked_about_english_only() -> None:
    reader = MarkedReader("label")
    reading = Reading(reader, RefusalModel(0.0, {"read": 1.0}))
    for question, stored in (
        ("台灯多久之内可以退货？", _stored("returns", ENGLISH)),
        ("Who pays for the return of unopened tea?", _stored("tea", CHINESE)),
    ):
        _turn(question, stored, reading=reading)
    assert reader.asked == []
    _, answer, _ = _turn("who pays the return of a lamp", _stored("returns", ENGLISH), reading=reading)
    assert reader.asked == [("who pays the return of a lamp", "")]
    assert answer.citations[0].quote == "A return label costs €5 in Ireland."


def test_reader_that_finds_nothing_makes_the_agent_decline() -> None:
    reading = Reading(MarkedReader("no such words"), RefusalModel(0.0, {"read": 1.0}))
    _, answer, _ = _turn("who pays for the label", _stored("returns", ENGLISH), refuse_below=0.5, reading=reading)
    assert answer.status is AnswerStatus.REFUSED


def test_reader_learns_what_was_said_before() -> None:
    reader = MarkedReader("label")
    history = (ChatMessage(Role.USER, "can i return a lamp"), ChatMessage(Role.ASSISTANT, "Within 45 days. [1]"))
    reading = Reading(reader, RefusalModel(0.0, {"read": 1.0}))
    _turn("and who pays the label", _stored("returns", ENGLISH), history=history, reading=reading)
    assert reader.asked == [("and who pays the label", "can i return a lamp Within 45 days.")]
