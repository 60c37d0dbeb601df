from __future__ import annotations

import random
from dataclasses import replace

from benchmarks.choice_examples import Asked, _examples
from domain.documents import Passage, ScoredPassage, StoredPassage
from domain.text import sentence_spans
from generator.evaluation import GoldenQuery, GoldEvidence
from generator.evidence import ScoredSentence

RETURNS = "You can return a lamp within 45 days. Painted lamps stay with you."
HOURS = "The showroom is open on Saturdays."


def _scored(text: str, *odds: float) -> list[ScoredSentence]:
    passage = Passage(f"p{len(text)}", "d", 1, 0, 0, len(text), text, ("Rules",), None)
    hit = ScoredPassage(StoredPassage(passage, "shop", "rules.md", "Rules"), 0.5, 0.5, None)
    spans = enumerate(zip(sentence_spans(text), odds, strict=True))
    return [ScoredSentence(hit, i, span, span.of(text), own) for i, (span, own) in spans]


def _asked(gold: str, *, is_training: bool = True) -> Asked:
    evidence = (GoldEvidence("rules.md", gold),) if gold else ()
    query = GoldenQuery("q", "how long?", (), "shop", evidence, (), bool(gold))
    found = sorted([*_scored(RETURNS, 1.0, -3.0), *_scored(HOURS, 0.0)], key=lambda one: -one.log_odds)
    return Asked("companies", query, is_training, query.question, "", tuple(found))


def test_gold_sentence_is_the_answer_wherever_the_noise_puts_it() -> None:
    rng = random.Random(1)
    made = [example for _ in range(40) for example in _examples(_asked("You can return a lamp within 45 days."), rng)]
    answered = [example for example in made if example.answer]
    assert len(answered) > len(made) / 2
    for example in answered:
        (told,) = example.answer
        assert told.text == "You can return a lamp within 45 days."
        assert told.text in example.evidence[told.marks[0] - 1].text
    assert {example.answer[0].marks for example in answered} == {(1,), (2,)}


def test_a_passage_left_out_takes_the_answer_with_it() -> None:
    rng = random.Random(1)
    made = [example for _ in range(40) for example in _examples(_asked("You can return a lamp within 45 days."), rng)]
    declined = [example for example in made if not example.answer]
    assert declined
    assert all("Painted" not in piece.text for example in declined for piece in example.evidence)


def test_near_miss_is_declined_and_never_left_out() -> None:
    rng = random.Random(1)
    made = list(_examples(_asked(""), rng))
    assert len(made) == 4
    assert not any(example.answer for example in made)


def test_unseen_question_is_shown_once_as_found_and_not_at_all_where_its_answer_was_missed() -> None:
    rng = random.Random(1)
    (example,) = _examples(_asked("You can return a lamp within 45 days.", is_training=False), rng)
    assert example.question == "how long?"
    assert example.answer[0].marks == (1,)
    assert list(_examples(_asked("We deliver on Mondays.", is_training=False), rng)) == []
    assert list(_examples(replace(_asked(""), found=()), rng)) == []


def test_follow_up_stands_behind_what_was_said_before_and_the_evidence_keeps_its_log_odds() -> None:
    asked = replace(
        _asked("You can return a lamp within 45 days.", is_training=False), before="Do you take cards? Yes."
    )
    (example,) = _examples(asked, random.Random(1))
    assert example.question == "Do you take cards? Yes. >> how long?"
    assert example.log_odds == (1.0, 0.0, -3.0)
