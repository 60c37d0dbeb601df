"""What two packages share without knowing each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.documents import ScoredPassage
from domain.text import Span

Vectors = NDArray[np.float32]  # (n, dimension), each row L2-normalised


class Embedder(Protocol):
    """Turns text into unit vectors. Equal ``fingerprint`` (weights, pooling, precision) means interchangeable."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, whose products with document vectors are similarities of at most 1.

        L2-normalised, unless the embedder weighs parts of a query anew. No texts gives shape (0, dimension).
        """
        ...

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, L2-normalised. No texts gives shape (0, dimension)."""
        ...


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Passages best first, and the generation they came from (None before the first one is promoted).

    ``query_vector`` is (dimension,) float32, so that nobody embeds the same question twice; ``own_vector`` is
    that of the query alone, where ``query_vector`` has a share of its context. ``asked`` is the query as it was
    searched for, slips of the keyboard put right; empty where the searcher does not say.
    """

    passages: tuple[ScoredPassage, ...]
    generation: str | None
    query_vector: NDArray[np.float32]
    own_vector: NDArray[np.float32] | None = None
    asked: str = ""


@dataclass(frozen=True, slots=True)
class SearchContext:
    """What a query is about when it does not say so itself. Of every score, ``share`` (0..1) is that of ``text``."""

    text: str
    share: float


class Searcher(Protocol):
    def search(
        self, query: str, top_k: int, collection: str | None = None, context: SearchContext | None = None
    ) -> SearchResult:
        """The best ``top_k`` live passages of the collection (None: of all) for the query, seen in its context.

        Raises:
            QuestionInvalid: empty or over-long query.
        """
        ...


@dataclass(frozen=True, slots=True)
class PassageToRead:
    """``lead`` is what stands over the text; ``sentences`` are spans of ``text``, in order."""

    lead: str
    text: str
    sentences: tuple[Span, ...]


class Reader(Protocol):
    """Reads a question and passages together, in English. Safe to call from several threads."""

    def read(self, question: str, context: str, passages: Sequence[PassageToRead]) -> list[NDArray[np.float32]]:
        """For each passage (sentences,) float32: the log-odds, in nats, of each sentence that it answers the question.

        Scores of different passages and questions may be compared.

        Args:
            context: what was asked and told before; empty for an opening question.
        """
        ...


class LanguageModel(Protocol):
    """The GPT-2 behind one door, whatever engine runs it. Safe to call from several threads."""

    @property
    def name(self) -> str: ...

    @property
    def context_tokens(self) -> int: ...

    @property
    def is_grounded(self) -> bool:
        """True when the model was fine-tuned on the grounded prompt; only then may it compose answers."""
        ...

    def count_tokens(self, text: str) -> int: ...

    def generate(self, prompt: str, max_new_tokens: int) -> Iterator[str]:
        """Greedy text pieces as they are decoded, without the end-of-text token; closing the iterator stops decoding.

        Raises:
            PromptTooLong: prompt and new tokens exceed ``context_tokens``.
        """
        ...

    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        """Summed log-probability in nats of each continuation's tokens after the prompt; "" asks for end-of-text.

        Prompt and continuation are tokenised apart, as in training. A prompt that extends the one before costs only
        its new tokens.

        Raises:
            PromptTooLong: prompt and the longest continuation exceed ``context_tokens``.
        """
        ...


class ProgressListener(Protocol):
    def __call__(self, done: int, total: int) -> None: ...


Facts = Mapping[str, object]
