"""Several embedders as one: their vectors side by side, so that a cosine is the weighted mean of theirs.

The first knows English best, the others know more languages: they are fused by the language of the query.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from domain.language import ENGLISH, language_of, load_languages
from domain.protocols import Embedder, Vectors

# What the first member keeps of the cosine with a query in another language, for the names and numbers in it, and with
# one too short to tell, which may be English (docs/retriever.md, Languages).
_SHARE_ABROAD = 0.1
_SHARE_IN_DOUBT = 0.4
_CALLERS = 32  # who may wait for a member at the same time; those who wait together are encoded together


class LoadableEmbedder(Embedder, Protocol):
    def load(self) -> None: ...


@runtime_checkable
class Abroad(Protocol):
    """What an embedder may offer besides: a query weighed for documents in another language than English."""

    def encode_queries_abroad(self, texts: Sequence[str]) -> Vectors: ...


def are_abroad(documents: Sequence[str]) -> bool:
    """True when most of what a query found is in another language than English."""
    return 2 * sum(language_of(text) not in (None, ENGLISH) for text in documents) > len(documents)


def _share(language: str | None) -> float | None:
    return {ENGLISH: None, None: _SHARE_IN_DOUBT}.get(language, _SHARE_ABROAD)


@dataclass(frozen=True, slots=True)
class Member:
    """``weight`` is the member's share of the cosine; the shares of an ensemble add up to 1."""

    embedder: LoadableEmbedder
    weight: float


class EnsembleEmbedder:
    """Unit vectors a and b scaled by the roots of their weights and joined are again a unit vector, whose product with
    another such one is w_a cos_a + w_b cos_b. Everything that knows one vector a text therefore works unchanged.

    A query may set other shares without a change to the index: scaled by s_a / sqrt(w_a) and s_b / sqrt(w_b), its
    product with a document's vector is s_a cos_a + s_b cos_b. It is then longer than 1, the product still at most 1.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        total = sum(member.weight for member in members)
        if not members or not math.isclose(total, 1.0):
            raise ValueError(f"The weights of an ensemble add up to 1, these {len(members)} to {total}.")
        self._members = tuple(members)
        self._pool = ThreadPoolExecutor(_CALLERS, "ensemble")  # its threads begin when they are needed

    @property
    def fingerprint(self) -> str:
        return "+".join(f"{member.weight:g}*{member.embedder.fingerprint}" for member in self._members)

    @property
    def dimension(self) -> int:
        return sum(member.embedder.dimension for member in self._members)

    def known_words(self) -> Sequence[str]:
        """The first member's lexicon, if it has one; see ``retriever.correction``."""
        words = getattr(self._members[0].embedder, "known_words", None)
        return words() if words is not None else ()

    def load(self) -> None:
        """Raises ModelMissing when a member's weights are not there."""
        load_languages()
        for member in self._members:
            member.embedder.load()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """As ``encode_documents``; a query that is not clearly English is weighed anew, see the class."""
        return self._encode_queries(texts, [_share(language_of(text)) for text in texts])

    def encode_queries_abroad(self, texts: Sequence[str]) -> Vectors:
        """As ``encode_queries`` does with another language, whatever language these are in."""
        return self._encode_queries(texts, [_SHARE_ABROAD] * len(texts))

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        scales = np.tile(self._roots, (len(texts), 1))
        return self._join(self._all(lambda embedder: embedder.encode_documents(texts)), scales)

    @property
    def _roots(self) -> NDArray[np.float64]:
        return np.sqrt([member.weight for member in self._members])

    def _encode_queries(self, texts: Sequence[str], firsts: Sequence[float | None]) -> Vectors:
        """``firsts``: the first member's share in each query; None keeps the shares that are stored."""
        shares = np.array([self._shares(first) for first in firsts]).reshape(-1, len(self._members))
        encoded = self._all(lambda embedder: embedder.encode_queries(texts))
        return self._join(encoded, shares / self._roots)

    def _all(self, encode: Callable[[Embedder], Vectors]) -> list[Vectors]:
        """The members run beside each other, so that none of them keeps a core idle."""
        first, *others = [member.embedder for member in self._members]
        running = [self._pool.submit(encode, embedder) for embedder in others]
        return [encode(first), *(future.result() for future in running)]

    def _shares(self, share: float | None) -> list[float]:
        """Of each member in the cosines of a query; they add up to 1."""
        first, *others = [member.weight for member in self._members]
        if not others or share is None:
            return [first, *others]
        return [share, *((1 - share) * weight / sum(others) for weight in others)]

    def _join(self, encoded: Sequence[Vectors], scales: NDArray[np.float64]) -> Vectors:
        """(n, sum of dimensions) float32. ``scales``: (n, members)."""
        scaled = [vectors * scales[:, place, None] for place, vectors in enumerate(encoded)]
        return np.asarray(np.concatenate(scaled, axis=1), dtype=np.float32)
