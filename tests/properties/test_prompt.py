from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from generator.prompt import (
    Evidence,
    MarkedSentence,
    fit_evidence,
    render_answer,
    render_prompt,
)

_evidence = st.lists(st.builds(Evidence, st.text(max_size=60), st.text(max_size=20)), max_size=4)


def _count(text: str) -> int:
    return len(text.split())


@given(st.text(max_size=80), _evidence, st.integers(0, 60))
def test_fitted_prompt_never_exceeds_the_budget_unless_nothing_fits(
    question: str, evidence: list[Evidence], budget: int
) -> None:
    kept = fit_evidence(question, evidence, _count, budget)
    assert kept == evidence[: len(kept)]
    assert not kept or _count(render_prompt(question, kept)) <= budget


@given(st.text(max_size=80), _evidence)
def test_text_cannot_forge_a_line_or_a_mark(question: str, evidence: list[Evidence]) -> None:
    lines = render_prompt(question, evidence).split("\n")
    assert len(lines) == len(evidence) + 2
    assert lines[0].startswith("Question:")
    assert lines[-1] == "Answer:"
    for n, line in enumerate(lines[1:-1], start=1):
        assert line.startswith(f"[{n}] ")
        assert "[" not in line[3:]


def test_no_sentences_are_a_refusal() -> None:
    assert render_answer([]) == " [0]"
    assert render_answer([MarkedSentence("Yes [or no].", (1, 2))]) == " Yes (or no). [1] [2]"
