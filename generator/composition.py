"""Letting the GPT-2 write, one finished sentence at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.protocols import LanguageModel
from generator.evidence import Snippet
from generator.prompt import MarkedSentence, fit_evidence, is_refusal, render_prompt, split_marked

_MAX_QUESTION_WORDS = 80  # in the prompt; the question words of a longer message stand at its end
_MAX_UNMARKED_CHARS = 700  # a sentence that is still not cited by then never will be


class Composition:
    """One completion. Iterate it to the end or close it; then ``declined`` tells whether the model refused."""

    def __init__(self, model: LanguageModel, question: str, snippets: Sequence[Snippet], max_new_tokens: int) -> None:
        self._model = model
        self._max_new_tokens = max_new_tokens
        self._question = " ".join(question.split()[-_MAX_QUESTION_WORDS:])
        self._snippets = snippets
        self.completion = ""

    @property
    def declined(self) -> bool:
        return is_refusal(self.completion)

    def sentences(self) -> Iterator[MarkedSentence]:
        """Finished sentences as the model completes them; what it leaves unfinished or unmarked is never returned."""
        budget = self._model.context_tokens - self._max_new_tokens
        evidence = [snippet.shown() for snippet in self._snippets]
        fitted = fit_evidence(self._question, evidence, self._model.count_tokens, budget)
        if not fitted:
            return
        pieces = self._model.generate(render_prompt(self._question, fitted), self._max_new_tokens)
        rest = ""
        try:
            for piece in pieces:
                self.completion += piece
                if self.completion.strip() and self.declined:
                    return
                finished, rest = split_marked(rest + piece)
                yield from finished
                if len(rest) > _MAX_UNMARKED_CHARS:
                    return
            finished, _ = split_marked(rest + "\n")
            yield from finished
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
