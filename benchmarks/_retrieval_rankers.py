"""What other libraries find: each ranks passages of at most 200 words, and is asked what our retriever is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

Rank = Callable[[str, int], Sequence[int]]  # places of the best passages, best first


def cut(title: str, text: str, words: int = 200) -> list[str]:
    """As Haystack's splitter by words does it; the title stands over every piece where there is room."""
    lead = title.split()
    body = text.split()
    size = words - len(lead)
    return [" ".join([*lead, *body[start : start + size]]) for start in range(0, max(1, len(body)), size)]


def rankers(model: Path, passages: Sequence[str]) -> Mapping[str, Rank]:
    """Peers over the same passages with the same sentence embedder."""
    return {
        "BM25 (Haystack)": _haystack_bm25(passages),
        "MiniLM (Haystack)": _haystack_dense(model, passages),
        "hybrid (txtai)": _txtai(model, passages),
    }


def _documents(passages: Sequence[str]) -> list[Any]:
    from haystack import Document

    return [Document(id=str(place), content=text) for place, text in enumerate(passages)]


def _haystack_bm25(passages: Sequence[str]) -> Rank:
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore()
    store.write_documents(_documents(passages))
    return lambda query, k: [int(found.id) for found in store.bm25_retrieval(query, top_k=k)]


def _haystack_dense(model: Path, passages: Sequence[str]) -> Rank:
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )

    documents: Any = SentenceTransformersDocumentEmbedder(model=str(model), progress_bar=False)
    questions: Any = SentenceTransformersTextEmbedder(model=str(model), progress_bar=False)
    documents.warm_up()
    questions.warm_up()
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(documents.run(_documents(passages))["documents"])

    def rank(query: str, k: int) -> list[int]:
        return [int(found.id) for found in store.embedding_retrieval(questions.run(query)["embedding"], top_k=k)]

    return rank


def _txtai(model: Path, passages: Sequence[str]) -> Rank:
    from txtai import Embeddings

    embeddings = Embeddings({"path": str(model), "method": "sentence-transformers", "hybrid": True, "gpu": False})
    embeddings.index((place, text, None) for place, text in enumerate(passages))
    return lambda query, k: [int(place) for place, _ in embeddings.search(query, k)]
