"""Letting the GPT-2 compose: sentence after sentence, each chosen by its likelihood, none of its own making.

Decoding is constrained to what may be said: at every step the candidates are the sentences shown, and to stop. Each is
scored by the GPT-2 on the cached prompt, and the log-odds of the evidence are added as a bias to copy what answers. So
every sentence is whole, in the document's words, and the verifier's work is a check and not a hope.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.protocols import LanguageModel
from generator.evidence import BARE_REPLY, ScoredSentence, Snippet
from generator.prompt import REFUSAL, MarkedSentence, fit_evidence, one_line, render_answer, render_prompt

_MAX_QUESTION_WORDS = 80  # in the prompt; the question words of a longer message stand at its end
_OPENING_WORDS = 8  # of a candidate are scored: they tell it from the others, the rest only follows
_OPENING_TOKENS = 32  # room for one opening


@dataclass(frozen=True, slots=True)
class Weights:
    """How the two judgements are added up, in nats; see ``docs/generator.md`` for how they were chosen."""

    evidence: float = 1.0
    first: float = 0.005  # of the model's, for the first sentence: it breaks ties
    model: float = 0.1  # of the model's, for each later one and for stopping
    stop: float = -3.0  # added to stopping


WEIGHTS = Weights()


@dataclass(frozen=True, slots=True)
class _Candidate:
    sentence: ScoredSentence
    mark: int  # the snippet's number in the prompt


class Composition:
    """One answer. ``declined`` is the model's log-odds, in nats, of declining against its best sentence."""

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
        self._question = " ".join(question.split()[-_MAX_QUESTION_WORDS:])
        self._snippets = snippets
        self._max_new_tokens = max_new_tokens
        self._max_sentences = max_sentences
        self._weights = weights
        self.declined = 0.0

    def sentences(self) -> Iterator[ScoredSentence]:
        """The sentences to say, in order. No snippet fits the context: none."""
        prompt, candidates = self._prepare()
        chosen: list[_Candidate] = []
        while candidates and len(chosen) < self._max_sentences:
            said = render_answer(MarkedSentence(c.sentence.text, (c.mark,)) for c in chosen) if chosen else ""
            if chosen and self._model.count_tokens(said) > self._max_new_tokens - _OPENING_TOKENS:
                return
            best = self._next(prompt + said, candidates, is_first=not chosen)
            if best is None:
                return
            chosen.append(best)
            yield best.sentence
            candidates = [c for c in candidates if _may_follow(c.sentence, best.sentence)]

    def _prepare(self) -> tuple[str, list[_Candidate]]:
        budget = self._model.context_tokens - self._max_new_tokens
        evidence = [snippet.shown() for snippet in self._snippets]
        fitted = fit_evidence(self._question, evidence, self._model.count_tokens, budget)
        candidates = [
            _Candidate(sentence, mark)
            for mark, snippet in enumerate(self._snippets[: len(fitted)], start=1)
            for sentence in snippet.sentences
            if not BARE_REPLY.match(sentence.text)
        ]
        return render_prompt(self._question, fitted), candidates

    def _next(self, prompt: str, candidates: Sequence[_Candidate], is_first: bool) -> _Candidate | None:
        """The best candidate, or None to stop; the first is never None, for whether to answer was settled before."""
        other = f" {REFUSAL}" if is_first else ""
        likely = self._model.score(prompt, [*(_opening(c.sentence.text) for c in candidates), other])
        trust = self._weights.first if is_first else self._weights.model
        values = [
            trust * nats + self._weights.evidence * c.sentence.log_odds
            for c, nats in zip(candidates, likely[:-1], strict=True)
        ]
        best = max(range(len(candidates)), key=values.__getitem__)
        if is_first:
            self.declined = likely[-1] - max(likely[:-1])
        elif trust * likely[-1] + self._weights.stop >= values[best]:
            return None
        return candidates[best]


def _opening(sentence: str) -> str:
    return " " + " ".join(one_line(sentence).split()[:_OPENING_WORDS])


def _may_follow(sentence: ScoredSentence, said: ScoredSentence) -> bool:
    """Told in the document's order; a sentence of another passage may always follow."""
    same = sentence.hit.passage.passage_id == said.hit.passage.passage_id
    return not same or sentence.index > said.index
