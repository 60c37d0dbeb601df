"""Where a company's questions come from, and that none of them leaks from one side of the split to another."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from domain.chat import Answer, AnswerPath, AnswerStatus, Citation, Feedback, Sentence
from domain.documents import StoredPassage
from domain.ids import new_id, sha256_hex
from domain.ratings import RatedAnswer
from generator.evaluation import GoldenQuery, GoldEvidence
from generator.prompt import Evidence
from generator.train.company_examples import Shown, make_example, make_examples, right_answer, says
from generator.train.company_questions import (
    CompanyQuestion,
    Side,
    ask_passages,
    ask_rated,
    ask_written,
    group_of,
    split,
    without_disliked,
    without_wordings,
)
from storage.conversations import ConversationStore
from storage.engine import create_database_engine, upgrade_schema
from storage.ratings import RatingStore
from tests.generator.small_models import OverlapFinder, shop_passages, stored

_FAQ = stored("faq", 0, "Yes. A return is free for 30 days. After that it costs five euros.", "Can I return it?")


def _answer(question: str, passage: StoredPassage, quote: str) -> Answer:
    at = passage.passage.text.index(quote)
    citation = Citation(
        n=1,
        document_id=passage.passage.document_id,
        source=passage.source,
        title=passage.title,
        version=1,
        passage_id=passage.passage.passage_id,
        start_char=at,
        end_char=at + len(quote),
        quote=quote,
        sha256=sha256_hex(quote),
        score=1.0,
    )
    sentence = (Sentence(quote, (1,)),)
    return Answer(
        new_id(), quote, AnswerStatus.ANSWERED, AnswerPath.GENERATED, 0.9, sentence, (citation,), None, question
    )


def _rated(question: str, quote: str, helped: bool, passage: StoredPassage = _FAQ) -> RatedAnswer:
    return RatedAnswer(question, _answer(question, passage, quote), helped)


def test_faq_entry_is_asked_in_several_wordings_and_answered_without_its_bare_yes() -> None:
    asked = ask_passages([_FAQ], random.Random(3))
    assert {q.kind for q in asked} == {"faq"}
    assert any(q.question == "Can I return it?" for q in asked)
    assert all(q.gold[0] == "A return is free for 30 days." for q in asked)


def test_document_is_asked_by_its_heading_once_and_by_its_sentences() -> None:
    section = [
        stored("guide", i, f"The blue lamp {i} is sent in two boxes by rail.", heading="Boxes") for i in range(3)
    ]
    asked = ask_passages(section, random.Random(0))
    assert [q.kind for q in asked].count("heading") == 1
    assert [q.kind for q in asked].count("sentence") == 3


def test_up_rated_answer_becomes_a_question_with_its_quotes() -> None:
    (found,) = ask_rated([_rated("how long to give it back", "A return is free for 30 days.", True)], [_FAQ])
    assert (found.kind, found.gold) == ("rated", ("A return is free for 30 days.",))
    assert found.groups == {group_of(_FAQ.passage)}


def test_answer_rated_down_by_anybody_is_left_out() -> None:
    told = ("how long", "A return is free for 30 days.")
    assert ask_rated([_rated(*told, True), _rated(*told, False)], [_FAQ]) == []


def test_rated_answer_whose_quote_has_left_the_knowledge_base_is_left_out() -> None:
    changed = stored("faq", 1, "A return is free for 60 days.", "Can I return it?")
    assert ask_rated([_rated("how long", "A return is free for 30 days.", True)], [changed]) == []


def test_disliked_answer_is_not_taught_from_the_faq_either() -> None:
    asked = ask_passages([_FAQ], random.Random(3))
    kept = without_disliked(asked, [_rated("can i return it?", "A return is free for 30 days.", False)])
    assert kept == [q for q in asked if q.question != "Can I return it?"]
    assert len(kept) < len(asked)


def test_written_question_belongs_to_every_entry_that_holds_its_evidence() -> None:
    query = GoldenQuery("1", "sending back?", (), None, (GoldEvidence("faq.md", "free for 30 days"),), (), True)
    (found,) = ask_written([query], [_FAQ, *shop_passages()], "written")
    assert found.groups == {group_of(_FAQ.passage)}


def test_what_is_written_to_measure_is_asked_of_no_trained_entry() -> None:
    passages = shop_passages()
    measured = frozenset({group_of(passages[0].passage), "document:returns"})
    sides = split(ask_passages(passages, random.Random(0)), measured, 0.2, 0.1)
    trained = {group for q in sides[Side.TRAINING] + sides[Side.VALIDATION] for group in q.groups}
    assert not trained & measured
    assert {group for q in sides[Side.HELD_BACK] for group in q.groups} == measured


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=3), min_size=1, max_size=60), st.sets(st.integers(0, 30))
)
def test_no_group_of_one_group_questions_is_ever_on_two_sides(asked: list[set[int]], measured: set[int]) -> None:
    questions = [CompanyQuestion("faq", str(i), frozenset(map(str, groups)), ("x",)) for i, groups in enumerate(asked)]
    sides = split(questions, frozenset(map(str, measured)), 0.3, 0.2)
    alone = {side: {min(q.groups) for q in found if len(q.groups) == 1} for side, found in sides.items()}
    assert sum(map(len, sides.values())) == len(questions)
    assert not alone[Side.TRAINING] & alone[Side.HELD_BACK]
    assert not alone[Side.TRAINING] & alone[Side.VALIDATION]
    assert all(not q.groups & set(map(str, measured)) for q in sides[Side.TRAINING])


def test_what_ends_the_training_early_is_drawn_from_every_document_by_passage() -> None:
    passages = shop_passages()
    sides = split(ask_passages(passages, random.Random(0)), frozenset({"document:none"}), 0.2, 0.5)
    held, trained = (
        {q.passage.passage.passage_id for q in sides[side] if q.passage and not q.passage.passage.question}
        for side in (Side.VALIDATION, Side.TRAINING)
    )
    assert held
    assert trained
    assert not held & trained
    assert not sides[Side.HELD_BACK]


def test_held_back_wording_is_asked_in_no_order_and_case() -> None:
    def ask(text: str) -> CompanyQuestion:
        return CompanyQuestion("faq", text, frozenset("e"), ("Yes.",))

    kept = without_wordings([ask("Lamps on sale?"), ask("Are lamps returned?")], [ask("on sale: LAMPS")])
    assert [question.question for question in kept] == ["Are lamps returned?"]


def _shown() -> Shown:
    passages = shop_passages()
    question = next(q for q in ask_passages(passages, random.Random(0)) if q.kind == "faq")
    return Shown(question, tuple(OverlapFinder(passages)(question.question)))


def test_example_copies_the_right_sentences_with_the_mark_of_their_snippet() -> None:
    example = make_example(_shown(), 0.0, random.Random(1))
    assert example.answer
    for sentence in example.answer:
        assert sentence.text in example.evidence[sentence.marks[0] - 1].text


def test_example_without_its_right_evidence_declines() -> None:
    example = make_example(_shown(), 1.0, random.Random(1))
    assert example.evidence
    assert example.target() == " [0]"


def test_declining_is_never_taught_beside_another_sentence_of_the_right_passage() -> None:
    text = (
        "The hook holds two kilos. The hook is screwed into the beam. Hooks are painted white. White is the only one."
    )
    guide = stored("guide", 0, text, heading="Hooks")
    passages = [guide, *shop_passages()]
    question = CompanyQuestion("heading", "white beam", frozenset("g"), ("The hook holds two kilos.",), guide)
    shown = Shown(question, tuple(OverlapFinder(passages)("white beam")))
    assert any("beam" in piece.text for piece in shown.evidence)
    examples = [make_example(shown, 0.5, random.Random(i)) for i in range(40)]
    declined = [example for example in examples if not example.answer]
    assert 5 <= len(declined) <= 35
    assert all(
        "hook" not in piece.text.lower() for e in declined for piece in e.evidence if piece.heading.endswith("Hooks")
    )


def test_missed_passage_is_mostly_put_among_what_was_found() -> None:
    shown = Shown(_shown().question, tuple(OverlapFinder(shop_passages()[20:])("classes")))
    answered = [bool(make_example(shown, 0.0, random.Random(i)).answer) for i in range(60)]
    assert 25 <= sum(answered) <= 55


def test_evidence_keeps_its_log_odds_unless_something_was_put_in() -> None:
    shown = _shown()
    known = {snippet.shown(): snippet.log_odds for snippet in shown.snippets}
    for i in range(20):
        example = make_example(shown, 0.3, random.Random(i))
        assert list(example.log_odds) == [known[piece] for piece in example.evidence]
    missed = Shown(shown.question, tuple(OverlapFinder(shop_passages()[20:])("classes")))
    examples = [make_example(missed, 0.0, random.Random(i)) for i in range(20)]
    assert all(not example.log_odds for example in examples if example.answer)


@pytest.mark.parametrize(
    ("text", "gold", "is_said"),
    [
        ("We open at 9, every day.", "we open at 9", True),
        ("It opens at 11.", "It opens at 11. It closes at 12.", True),
        ("1.", "It opens at 11.", False),
        ("We are open.", "We are opening soon.", False),
    ],
)
def test_a_sentence_is_said_in_whole_words(text: str, gold: str, is_said: bool) -> None:
    assert says(text, [gold]) is is_said


def test_same_sentence_in_two_snippets_is_said_once() -> None:
    twice = [Evidence("Lamps cost five euros."), Evidence("Lamps cost five euros. Shades cost six.")]
    assert [s.marks for s in right_answer(["Lamps cost five euros."], twice)] == [(1,)]


def test_every_question_is_drawn_before_one_is_drawn_twice() -> None:
    shown = [_shown(), Shown(CompanyQuestion("faq", "Other?", frozenset("x"), ("None.",)), ())]
    assert len({e.document for e in make_examples(shown, 2, 0.0, random.Random(0))}) == 2


def test_ratings_are_read_with_the_question_that_was_searched_for(tmp_path: object) -> None:
    engine: Engine = create_database_engine(f"sqlite:///{tmp_path}/desk.db")
    upgrade_schema(engine)
    conversations = ConversationStore(engine)
    for rating, parts in (("up", [{"condensed": "return of a lamp, how long"}]), ("down", [{}, {}])):
        answer = _answer("how long", _FAQ, "A return is free for 30 days.")
        conversations.record_answer(answer, "and how long?", {"parts": parts})
        conversations.add_feedback(Feedback(answer.answer_id, rating, None, None))  # type: ignore[arg-type]  # a str, not a literal
    conversations.record_answer(_answer("unrated", _FAQ, "A return is free for 30 days."), "unrated", {})
    found = list(RatingStore(engine).iterate_rated())
    assert [(one.question, one.helped) for one in found] == [
        ("return of a lamp, how long", True),
        ("and how long?", False),
    ]
    assert found[0].answer.citations[0].quote == "A return is free for 30 days."
    engine.dispose()
