"""A question on its way to the index: its text, what it is asked about, and the vector and terms of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.protocols import Embedder, SearchContext
from retriever.ensemble import Abroad
from retriever.snapshot import Query
from retriever.terms import extract_terms

Vector = NDArray[np.float32]  # (dimension,)


@dataclass(frozen=True, slots=True)
class Asked:
    """``abroad``: the documents found so far are not in English."""

    text: str
    collection: str | None
    context: SearchContext | None
    abroad: bool = False

    def encode(self, embedder: Embedder) -> tuple[Vector, Vector | None]:
        """What to search with, and the vector of the text alone where that is another.

        The first is the weighted mean of the second and that of the context. A cosine with the mean is the mean of the
        cosines, so it is not brought to unit length again.
        """
        encode = embedder.encode_queries
        if self.abroad and isinstance(embedder, Abroad):
            encode = embedder.encode_queries_abroad
        if self.context is None:
            return np.asarray(encode([self.text])[0]), None
        own, around = encode([self.text, self.context.text])
        mean = (1.0 - self.context.share) * own + self.context.share * around
        return np.asarray(mean, dtype=np.float32), np.asarray(own)

    def query(self, vector: Vector) -> Query:
        if self.context is None:
            return Query(vector, extract_terms([self.text])[0], self.collection)
        terms, around = extract_terms([self.text, self.context.text])
        return Query(vector, terms, self.collection, around, self.context.share)
