from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from domain.documents import Passage, ScoredPassage, StoredPassage
from domain.text import sentence_spans
from generator.composition import Composition
from generator.evidence import ScoredSentence, Snippet
from generator.language_model import SHIPPED_MODEL
from generator.prompt import MarkedSentence, render_answer
from generator.settings import GeneratorSettings
from tests.fakes import ScriptedLanguageModel

RETURNS = "Yes. You can return a lamp within 45 days. A label costs five euros. We pay the money back in a week."
HOURS = "The showroom is open on Saturdays."


def _snippet(text: str, *log_odds: float) -> Snippet:
    passage = Passage(f"p{len(text)}", "d", 1, 0, 0, len(text), text, ("Rules",), None)
    hit = ScoredPassage(StoredPassage(passage, "shop", "rules.md", "Rules"), 0.5, 0.5, None)
    spans = sentence_spans(text)
    scored = zip(spans, log_odds, strict=True)
    return Snippet(
        hit, tuple(ScoredSentence(hit, i, span, span.of(text), odds) for i, (span, odds) in enumerate(scored))
    )


def _composition(likes: dict[str, float], hours: float, **limits: int) -> Composition:
    """Of a snippet whose best sentence has log-odds 0, and one of which it has ``hours``."""
    model = ScriptedLanguageModel([], scores=likes, unlikely=-10.0)
    given = {"max_new_tokens": 96, "max_sentences": 4} | limits
    return Composition(
        model, "can I return a lamp", [_snippet(RETURNS, -1, 0, -1, -2), _snippet(HOURS, hours)], **given
    )


def _said(composition: Composition) -> list[str]:
    return [sentence.text for sentence, _ in composition.sentences()]


def test_the_best_snippet_is_said_whole_and_in_order_but_for_a_bare_yes() -> None:
    assert _said(_composition({}, hours=-5)) == [
        "You can return a lamp within 45 days.",
        "A label costs five euros.",
        "We pay the money back in a week.",
    ]


@pytest.mark.parametrize(("hours", "begins"), [(-0.2, "The showroom"), (-15.0, "You can")])
def test_the_model_decides_between_snippets_that_score_alike_only(hours: float, begins: str) -> None:
    assert _said(_composition({"The showroom is open on Saturdays.": 0.0}, hours))[0].startswith(begins)


def test_a_snippet_is_as_likely_as_its_openings_together() -> None:
    """Three openings of e^-40 outweigh one of e^-40.5."""
    likes = dict.fromkeys(("You can return a lamp within 45 days.", "A label costs five euros."), -40.0)
    likes |= {"We pay the money back in a week.": -40.0, "The showroom is open on Saturdays.": -40.5}
    assert _said(_composition(likes, hours=0.0))[0].startswith("You can")


def test_no_more_sentences_or_tokens_than_allowed_but_always_one() -> None:
    assert len(_said(_composition({}, hours=-5, max_sentences=2))) == 2
    assert len(_said(_composition({}, hours=-5, max_new_tokens=16))) == 2  # 9 and 6 words with their marks
    assert len(_said(_composition({}, hours=-5, max_new_tokens=1))) == 1


def test_the_margin_of_declining_is_kept() -> None:
    composition = _composition({"[0]": -3.0, "A label costs five euros.": -7.0}, hours=-5)
    assert _said(composition)
    assert composition.declined == pytest.approx(4.0)


def test_nothing_is_said_when_no_snippet_fits_the_context() -> None:
    model = ScriptedLanguageModel([], context_tokens=8)
    assert _said(Composition(model, "can I return a lamp", [_snippet(HOURS, 0)], 4, 4)) == []
    assert model.prompts == []


def test_a_week_of_opening_hours_is_no_longer_than_an_answer_may_be() -> None:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    week = [MarkedSentence(f"Day: {day}; Hours: 10:00 to 17:00.", (1,)) for day in days]
    tokens = Tokenizer.from_file(str(SHIPPED_MODEL / "tokenizer.json")).encode(render_answer(week)).ids
    assert len(tokens) <= GeneratorSettings().max_new_tokens


def test_a_word_without_end_is_neither_scored_whole_nor_does_it_crowd_out_the_evidence() -> None:
    class Letters(ScriptedLanguageModel):
        context_tokens = 512

        def count_tokens(self, text: str) -> int:
            return len(text)

    address = "See https://shop.example/" + "a" * 300 + " for the form."
    model = Letters([], unlikely=-10.0)
    composition = Composition(model, "where is the form", [_snippet(HOURS, 0.0), _snippet(address, -1.0)], 600, 4)
    assert _said(composition) == [HOURS]
    assert len(model.prompts[0]) + 161 <= model.context_tokens
