"""Letting the GPT-2 compose: it says which of the shown snippets answers, and that snippet is said, whole.

Decoding is constrained to what may be said. The GPT-2 scores the opening of every sentence shown on the cached prompt,
once; what it holds of a snippet is the likelihood that the answer opens with any of its sentences. The log-odds of the
evidence are added as a bias to what answers. So every sentence is whole, in the document's words, and the verifier's
work is a check and not a hope.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.protocols import LanguageModel
from generator.evidence import ScoredSentence, Snippet
from generator.prompt import REFUSAL, MarkedSentence, fit_evidence, one_line, render_answer, render_prompt

_MAX_QUESTION_WORDS = 80  # in the prompt; the question words of a longer message stand at its end
_OPENING_WORDS = 8  # of a candidate are scored: they tell it from the others, the rest only follows
_OPENING_CHARS = 160  # of them; a word may be a web address


@dataclass(frozen=True, slots=True)
class Weights:
    """How the two judgements are added up, in nats; ``docs/quality.md`` tells how they were chosen."""

    evidence: float = 1.0
    model: float = 0.02


WEIGHTS = Weights()


class Composition:
    """One answer, chosen when it is made: one look of the model at the prompt.

    ``declined`` is the model's log-odds, in nats, of declining against its best sentence; 0 where it was shown nothing.
    No snippet fits the context: nothing is said.
    """

    def __init__(
        self,
        model: LanguageModel,
        question: str,
        snippets: Sequence[Snippet],
        max_new_tokens: int,
        max_sentences: int,
        weights: Weights = WEIGHTS,
    ) -> None:
        self._model = model
        self._max_new_tokens = max_new_tokens
        self._max_sentences = max_sentences
        self._weights = weights
        self.declined = 0.0
        question = " ".join(question.split()[-_MAX_QUESTION_WORDS:])
        evidence = [snippet.shown() for snippet in snippets]
        openings = [[_opening(s.text) for s in snippet.to_say] for snippet in snippets]
        # Behind the prompt stands one opening at a time; the rest of an answer is said without being read.
        longest = max((model.count_tokens(one) for own in openings for one in own), default=0)
        fitted = fit_evidence(question, evidence, model.count_tokens, model.context_tokens - longest)
        shown = list(zip(snippets, openings, strict=True))[: len(fitted)]
        self._chosen = self._choose(render_prompt(question, fitted), shown) if shown else None

    def sentences(self) -> Iterator[tuple[ScoredSentence, Snippet]]:
        """The sentences to say, in the document's order, each with its snippet."""
        if self._chosen is None:
            return
        mark, snippet = self._chosen
        said: list[MarkedSentence] = []
        for sentence in snippet.to_say[: self._max_sentences]:
            said.append(MarkedSentence(sentence.text, (mark,)))
            if len(said) > 1 and self._model.count_tokens(render_answer(said)) > self._max_new_tokens:
                return
            yield sentence, snippet

    def _choose(self, prompt: str, shown: Sequence[tuple[Snippet, list[str]]]) -> tuple[int, Snippet]:
        """The best snippet, of those with their sentences' openings, and its mark, from 1."""
        likely = self._model.score(prompt, [*(one for _, own in shown for one in own), f" {REFUSAL}"])
        self.declined = likely[-1] - max(likely[:-1])
        values: list[float] = []
        at = 0
        for snippet, own in shown:
            nats = _log_sum(likely[at : at + len(own)])
            values.append(self._weights.model * nats + self._weights.evidence * snippet.log_odds)
            at += len(own)
        best = max(range(len(values)), key=values.__getitem__)
        return 1 + best, shown[best][0]


def _opening(sentence: str) -> str:
    return " " + " ".join(one_line(sentence).split()[:_OPENING_WORDS])[:_OPENING_CHARS]


def _log_sum(nats: Sequence[float]) -> float:
    """The log of the sum of the probabilities."""
    best = max(nats)
    return best + math.log(sum(math.exp(one - best) for one in nats))
