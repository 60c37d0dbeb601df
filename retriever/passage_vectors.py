"""The vectors of passages: from the database where they are known, from the embedder where they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.documents import StoredPassage
from domain.protocols import Embedder
from domain.windows import encode_windows, windows_by_hash
from storage.vectors import VectorStore


@dataclass(frozen=True, slots=True)
class FoundVectors:
    """``by_key`` as in ``windows_by_hash``; what is ``missing`` was more than the caller allowed to embed."""

    by_key: Mapping[str, NDArray[np.float32]]
    embedded: int
    reused: int
    missing: int


class PassageVectors:
    def __init__(self, vectors: VectorStore, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder

    def find(
        self, passages: Sequence[StoredPassage], embed_at_most: int | None = None, *, afresh: bool = False
    ) -> FoundVectors:
        """Vectors of search texts and FAQ questions; what is embedded is stored, so that it is done once.

        Args:
            embed_at_most: with more unknown texts than this, none is embedded; None means any number.
            afresh: embed everything, whatever is stored, and store it instead.
        """
        texts = windows_by_hash([stored.passage for stored in passages])
        stored = {} if afresh else self._vectors.get_many(self._embedder.fingerprint, list(texts))
        known = {key: _unit(vector) for key, vector in stored.items()}
        unknown = [key for key in texts if key not in known]
        reused = len(known)
        if embed_at_most is not None and len(unknown) > embed_at_most:
            return FoundVectors(known, 0, reused, len(unknown))
        if unknown:
            fresh = encode_windows(self._embedder, [texts[key] for key in unknown])
            found = dict(zip(unknown, fresh, strict=True))
            self._vectors.put_many(self._embedder.fingerprint, found, replace=afresh)
            known.update(found)
        return FoundVectors(known, len(unknown), reused, 0)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stored in 16 bits, a vector's length is no longer exactly 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)
