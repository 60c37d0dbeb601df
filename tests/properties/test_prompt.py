from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from generator.prompt import (
    Evidence,
    MarkedSentence,
    fit_evidence,
    is_refusal,
    render_answer,
    render_prompt,
    split_marked,
)

_evidence = st.lists(st.builds(Evidence, st.text(max_size=60), st.text(max_size=20)), max_size=4)
_plain = st.lists(st.sampled_from(("Bikes", "cost", "19", "a", "day.", "no")), min_size=1, max_size=6).map(" ".join)
_marked = st.lists(
    st.builds(MarkedSentence, _plain, st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True).map(tuple)),
    min_size=1,
    max_size=4,
)


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


@given(_marked)
def test_rendered_answer_is_split_back_into_its_sentences(answer: list[MarkedSentence]) -> None:
    finished, rest = split_marked(render_answer(answer) + "\n")
    assert finished == answer
    assert not rest.strip()


@given(_marked, st.integers(1, 7))
def test_streaming_in_pieces_gives_the_same_sentences(answer: list[MarkedSentence], size: int) -> None:
    text = render_answer(answer)
    found: list[MarkedSentence] = []
    rest = ""
    for start in range(0, len(text), size):
        finished, rest = split_marked(rest + text[start : start + size])
        found += finished
    found += split_marked(rest + "\n")[0]
    assert found == answer


def test_no_sentences_are_a_refusal() -> None:
    assert is_refusal(render_answer([]))
    assert is_refusal("")
    assert not is_refusal(" Yes. [1]")
