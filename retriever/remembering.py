"""An embedder that computes no document's vector twice: the same sentences come up for many questions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.protocols import Embedder, Vectors


class RememberingEmbedder:
    """Wraps an ``Embedder``. What it has seen stays in memory for as long as it lives."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    def known_words(self) -> Sequence[str]:
        """See ``retriever.correction.Lexicon``."""
        known_words = getattr(self._embedder, "known_words", None)
        return known_words() if known_words is not None else ()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.encode_queries(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, self._embedder.encode_documents(missing), strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else np.zeros((0, self.dimension), np.float32)
