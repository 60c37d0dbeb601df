"""Small real implementations of the shared protocols, handed in through constructors by unit tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from domain.errors import PromptTooLong
from domain.protocols import PassageToRead, Vectors
from domain.text import words


class HashEmbedder:
    """A bag of hashed words, L2-normalised: texts that share words are near, with no model to load."""

    def __init__(self, dimension: int = 64) -> None:
        self._dimension = dimension

    @property
    def fingerprint(self) -> str:
        return f"hash-{self._dimension}"

    @property
    def dimension(self) -> int:
        return self._dimension

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in words(text.lower()) or [""]:
                digest = hashlib.sha256(word.encode()).digest()
                vectors[row, int.from_bytes(digest[:4], "big") % self._dimension] += 1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)


class ScriptedLanguageModel:
    """Says the prepared completions in order, a word at a time; counts a token a word.

    Args:
        scores: what ``score`` gives a continuation, by its text without outer space.
        unlikely: what it gives any other, a word.
    """

    def __init__(
        self,
        completions: Sequence[str],
        *,
        is_grounded: bool = True,
        context_tokens: int = 512,
        scores: Mapping[str, float] | None = None,
        unlikely: float = -10.0,
    ) -> None:
        self._completions = list(completions)
        self._is_grounded = is_grounded
        self._context_tokens = context_tokens
        self._scores = dict(scores or {})
        self._unlikely = unlikely
        self.prompts: list[str] = []

    @property
    def name(self) -> str:
        return "scripted"

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    @property
    def is_grounded(self) -> bool:
        return self._is_grounded

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(self, prompt: str, max_new_tokens: int) -> Iterator[str]:
        self.prompts.append(prompt)
        completion = self._completions.pop(0)
        for piece in completion.split(" ")[:max_new_tokens]:
            yield f" {piece}" if piece else ""

    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        self.prompts.append(prompt)
        longest = max(map(self.count_tokens, continuations), default=0)
        if self.count_tokens(prompt) + longest > self._context_tokens:
            raise PromptTooLong(f"{prompt[:20]!r} and {longest} words exceed {self._context_tokens}.", "Shorten it.")
        words = [(text.strip(), max(1, self.count_tokens(text))) for text in continuations]
        return [self._scores.get(text, self._unlikely * count) for text, count in words]


class MarkedReader:
    """Finds that a sentence answers when it holds ``mark``; remembers the (question, context) that it was asked."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self.asked: list[tuple[str, str]] = []

    def read(self, question: str, context: str, passages: Sequence[PassageToRead]) -> list[NDArray[np.float32]]:
        self.asked.append((question, context))
        return [
            np.array([4.0 if self._mark in span.of(one.text) else -4.0 for span in one.sentences], dtype=np.float32)
            for one in passages
        ]
