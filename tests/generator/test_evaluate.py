"""Choosing measured: what is right, what is half right, and what a margin says about declining."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.dataset import GroundedExample, read_examples, save_examples
from generator.metrics import token_f1
from generator.prompt import Evidence, MarkedSentence
from generator.train.evaluate import Composed, evaluate, figures, shown_sentences

_SHIPPED = Path(__file__).parents[2] / "generator" / "models" / "answerdesk-gpt2"
_EVIDENCE = (Evidence("Red lamps cost five euros. They are small.", "Red"), Evidence("Blue lamps cost six euros."))
_BLUE = ("Blue lamps cost six euros.", 2)
_RED = ("Red lamps cost five euros.", 1)


def _example(*told: tuple[str, int]) -> GroundedExample:
    answer = tuple(MarkedSentence(text, (mark,)) for text, mark in told)
    return GroundedExample("shop", "lamps", "What does a blue lamp cost?", _EVIDENCE, answer)


def test_figures_tell_choosing_and_stopping_apart() -> None:
    found = figures([_example(_BLUE), _example(_BLUE)], [Composed((_BLUE, _RED), -1.0), Composed((_RED,), -1.0)])
    assert (found.first, found.right_mark, found.exact) == (0.5, 0.5, 0.0)
    expected = (token_f1(f"{_BLUE[0]} {_RED[0]}", _BLUE[0]) + token_f1(_RED[0], _BLUE[0])) / 2
    assert found.f1 == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("margins", "area", "refusal"), [((3.0, -3.0), 1.0, 1.0), ((-3.0, 3.0), 0.0, 0.0)])
def test_refusal_is_judged_by_the_margin_whatever_was_composed(
    margins: tuple[float, float], area: float, refusal: float
) -> None:
    found = figures([_example(), _example(_BLUE)], [Composed((_BLUE,), margin) for margin in margins])
    assert (found.refusal_area, found.refusal) == (area, refusal)
    assert (found.examples, found.answerable, found.first) == (2, 1, 1.0)


def test_shown_sentences_carry_their_marks_and_no_heading() -> None:
    assert shown_sentences(_example()) == [_RED, ("They are small.", 1), _BLUE]


def test_examples_survive_the_file_and_a_model_composes_from_what_is_shown(tmp_path: Path) -> None:
    examples = [_example(_BLUE), _example()]
    save_examples(tmp_path / "examples.jsonl", examples)
    assert read_examples(tmp_path / "examples.jsonl") == examples
    found = evaluate(_SHIPPED, tmp_path / "examples.jsonl")["all"]
    assert found["first sentence of [1]"].first == 0.0
    assert found["whole of [1]"].answerable == 1
    assert 0.0 <= found["model"].f1 <= 1.0
