from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from generator.evaluation import AnswerFigures, summarise
from generator.model_gate import Margins, ModelFigures, judge

BEFORE = ModelFigures(
    questions=100,
    f1=0.60,
    facts=0.70,
    answered_share=0.90,
    refused_share=0.92,
    citation_precision=0.96,
    support=0.99,
)


def test_figures_that_may_only_hold_are_said_to_fall() -> None:
    verdict = judge("live", BEFORE, replace(BEFORE, f1=0.5, facts=0.6), Margins(rise=-0.005))
    assert verdict.reasons[0] == "Both f1 (0.600 to 0.500) and facts (0.700 to 0.600) fall by more than 0.005."


def test_better_answers_with_the_same_proof_pass() -> None:
    verdict = judge("answerdesk-gpt2", BEFORE, replace(BEFORE, f1=0.62))
    assert (verdict.passed, verdict.reasons) == (True, ())


def test_equal_figures_do_not_pass_because_nothing_rose() -> None:
    verdict = judge("answerdesk-gpt2", BEFORE, BEFORE)
    assert not verdict.passed
    assert verdict.reasons == ("Neither f1 (0.600 to 0.600) nor facts (0.700 to 0.700) rises by 0.005.",)


def test_facts_may_rise_instead_of_f1() -> None:
    assert judge("live", BEFORE, replace(BEFORE, facts=0.75)).passed
    assert not judge("live", BEFORE, replace(BEFORE, facts=0.75, f1=0.55)).passed


@pytest.mark.parametrize("name", ["support", "citation_precision", "refused_share"])
def test_better_answers_with_worse_proof_are_refused_and_the_figure_is_named(name: str) -> None:
    after = replace(BEFORE, f1=0.80, **{name: getattr(BEFORE, name) - 0.05})
    [reason] = judge("live", BEFORE, after).reasons
    assert reason.startswith(f"{name} (")


def test_refusing_gates_nothing_where_the_whole_product_was_not_asked() -> None:
    before = replace(BEFORE, answered_share=None, refused_share=None)
    assert judge("live", before, replace(before, f1=0.65)).passed
    [reason] = judge("live", before, replace(before, f1=0.65, support=0.5)).reasons
    assert reason.startswith("support (")


def test_a_loss_within_the_slack_is_noise() -> None:
    assert judge("live", BEFORE, replace(BEFORE, f1=0.65, support=0.986)).passed
    assert not judge("live", BEFORE, replace(BEFORE, f1=0.65, support=0.986), Margins(slack=0.0)).passed


def test_every_reason_is_given_at_once() -> None:
    after = replace(BEFORE, f1=0.1, facts=0.1, support=0.1, citation_precision=0.1, refused_share=0.1)
    assert len(judge("live", BEFORE, after).reasons) == 6


@pytest.mark.parametrize("name", ["f1", "facts", "support", "citation_precision", "refused_share"])
def test_figure_that_is_not_a_number_fails(name: str) -> None:
    better = replace(BEFORE, f1=0.9, facts=0.9)
    assert not judge("live", BEFORE, replace(better, **{name: math.nan})).passed


@pytest.mark.parametrize("questions", [0, 99])
def test_figures_over_other_questions_cannot_be_compared(questions: int) -> None:
    after = replace(BEFORE, f1=0.9, questions=questions)
    [reason] = judge("live", BEFORE, after).reasons
    assert f"{questions} questions" in reason


def test_no_questions_at_all_prove_nothing() -> None:
    none = replace(BEFORE, questions=0)
    assert not judge("live", none, replace(none, f1=0.9)).passed


def test_verdict_is_json_with_both_sides() -> None:
    stored = json.loads(json.dumps(judge("model-1", BEFORE, replace(BEFORE, f1=0.7)).to_dict()))
    assert stored["passed"] is True
    assert (stored["against"], stored["before"]["f1"], stored["after"]["f1"]) == ("model-1", 0.6, 0.7)
    assert stored["margins"] == {"rise": 0.005, "slack": 0.005}


def test_figures_come_from_an_evaluation() -> None:
    answered = AnswerFigures("q1", True, True, "generated", 0.5, True, 2, 2, 1.0, 0.9, 0.1)
    refused = AnswerFigures("q2", False, False, "refusal", 0.0, None, 0, 0, None, 0.1, 0.1)
    figures = ModelFigures.of(summarise([answered, refused]))
    assert figures == ModelFigures(2, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)
