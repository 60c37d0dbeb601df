"""The one prompt that the GPT-2 is trained on and served with.

Plain text without special tokens, so any GPT-2 tokenizer can write it. The question stands before the evidence: a
causal model then reads every evidence token already knowing what is asked::

    Question: how long do i have to send it back
    [1] Returns > Deadlines: You can return an item within 30 days of delivery.
    [2] Shipping: We deliver in two days.
    Answer: You can return an item within 30 days of delivery. [1]

A follow-up stands behind what was said before: ``Question: can lamps go back? Within 30 days. >> and used ones``.

Each sentence of the answer is followed by the marks of the evidence it rests on. An answer of ``[0]`` cites nothing:
the evidence does not hold the answer. The marks follow the full stop so that a copied sentence stays one unbroken run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

REFUSAL = "[0]"
_NOW = ">>"  # between what was said before and the question


@dataclass(frozen=True, slots=True)
class Evidence:
    """A few sentences of one passage, shown to the model under the number ``[n]`` of its place in the prompt."""

    text: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class MarkedSentence:
    """A sentence of an answer, with the numbers of the evidence that it cites (from 1; empty when it cites none)."""

    text: str
    marks: tuple[int, ...]


def ask_after(before: str, question: str) -> str:
    """The question line of a follow-up; ``before`` is what ``generator.condense.carried`` keeps of the conversation."""
    return f"{before} {_NOW} {question}" if before else question


def render_prompt(question: str, evidence: Sequence[Evidence]) -> str:
    """Everything up to and including ``Answer:``; the model continues with a space and its first word."""
    lines = [f"Question: {one_line(question)}"]
    for n, piece in enumerate(evidence, start=1):
        heading = f"{one_line(piece.heading)}: " if piece.heading else ""
        lines.append(f"[{n}] {heading}{one_line(piece.text)}")
    lines.append("Answer:")
    return "\n".join(lines)


def render_answer(sentences: Iterable[MarkedSentence]) -> str:
    """The training target, with its leading space; no sentences is a refusal."""
    parts = [f"{one_line(s.text)} {' '.join(f'[{n}]' for n in s.marks)}" for s in sentences]
    return " " + (" ".join(parts) if parts else REFUSAL)


def fit_evidence(
    question: str, evidence: Sequence[Evidence], count_tokens: Callable[[str], int], budget: int
) -> list[Evidence]:
    """The longest prefix of ``evidence`` (best first) whose rendered prompt has at most ``budget`` tokens."""
    kept = list(evidence)
    while kept and count_tokens(render_prompt(question, kept)) > budget:
        kept.pop()
    return kept


def one_line(text: str) -> str:
    """As a text stands in the prompt."""
    # Square brackets are the marks' alphabet; evidence must not be able to forge one.
    return " ".join(text.replace("[", "(").replace("]", ")").split())
