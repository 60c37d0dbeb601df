"""Haystack and txtai over the same passages with the same model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from domain.protocols import Vectors

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")


class Haystack:
    """SentenceTransformersDocumentEmbedder into the in-memory document store; its own batch size of 32."""

    def __init__(self, model: Path) -> None:
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
        )

        self._embedder: Any = SentenceTransformersDocumentEmbedder(model=str(model), progress_bar=False)
        self._embedder.warm_up()

    def index(self, passages: Sequence[str]) -> Vectors:
        """(passages, dimension), what it stored."""
        from haystack import Document
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        documents = [Document(id=str(place), content=text) for place, text in enumerate(passages)]
        done = self._embedder.run(documents)["documents"]
        store.write_documents(done)
        return np.array([document.embedding for document in done], dtype=np.float32)


class Txtai:
    """A hybrid index (FAISS and BM25) with sentence-transformers; its own batch sizes."""

    def __init__(self, model: Path) -> None:
        self._settings = {"path": str(model), "method": "sentence-transformers", "hybrid": True, "gpu": False}
        self._shared: dict[str, Any] = {}  # models, so that loading is counted once at most

    def index(self, passages: Sequence[str]) -> None:
        from txtai import Embeddings

        embeddings = Embeddings(self._settings, models=self._shared)
        embeddings.index((place, text, None) for place, text in enumerate(passages))

    def over_vectors(self, passages: Iterable[str], blocks: Iterable[Vectors]) -> Any:
        """A hybrid index of passages whose vectors are known; queries are embedded as ``index`` does."""
        from sentence_transformers import SentenceTransformer
        from txtai import Embeddings

        model = SentenceTransformer(str(self._settings["path"]), device="cpu")
        rows = (row for block in blocks for row in block)
        building = True

        def transform(texts: Sequence[str]) -> Vectors:
            if building:
                return np.stack([next(rows) for _ in texts])
            return np.asarray(model.encode(list(texts), show_progress_bar=False), dtype=np.float32)

        embeddings = Embeddings({"method": "external", "transform": transform, "hybrid": True, "gpu": False})
        embeddings.index((place, text, None) for place, text in enumerate(passages))
        building = False
        return embeddings
