"""Several embedders as one: their vectors side by side, so that a cosine is the weighted mean of theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from domain.protocols import Embedder, Vectors


class LoadableEmbedder(Embedder, Protocol):
    def load(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Member:
    """``weight`` is the member's share of the cosine; the shares of an ensemble add up to 1."""

    embedder: LoadableEmbedder
    weight: float


class EnsembleEmbedder:
    """Unit vectors a and b scaled by the roots of their weights and joined are again a unit vector, whose product with
    another such one is w_a cos_a + w_b cos_b. Everything that knows one vector a text therefore works unchanged.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        total = sum(member.weight for member in members)
        if not members or not math.isclose(total, 1.0):
            raise ValueError(f"The weights of an ensemble add up to 1, these {len(members)} to {total}.")
        self._members = tuple(members)

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
        for member in self._members:
            member.embedder.load()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._join([member.embedder.encode_queries(texts) for member in self._members])

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return self._join([member.embedder.encode_documents(texts) for member in self._members])

    def _join(self, encoded: Sequence[Vectors]) -> Vectors:
        """(n, sum of dimensions) float32, L2-normalised."""
        scaled = [vectors * math.sqrt(member.weight) for member, vectors in zip(self._members, encoded, strict=True)]
        return np.asarray(np.concatenate(scaled, axis=1), dtype=np.float32)
