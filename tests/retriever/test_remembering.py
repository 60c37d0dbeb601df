from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.protocols import Vectors
from retriever.remembering import RememberingEmbedder
from tests.fakes import HashEmbedder


class _Counting(HashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        return super().encode_documents(texts)


def test_each_text_is_encoded_once_and_every_vector_is_its_own() -> None:
    inner = _Counting()
    embedder = RememberingEmbedder(inner)
    embedder.encode_documents(["a lamp", "a shade", "a lamp"])
    found = embedder.encode_documents(["a shade", "a cord", "a lamp"])
    assert inner.encoded == ["a lamp", "a shade", "a cord"]
    assert np.array_equal(found, HashEmbedder().encode_documents(["a shade", "a cord", "a lamp"]))
    assert embedder.encode_documents([]).shape == (0, inner.dimension)
    assert embedder.fingerprint == inner.fingerprint
