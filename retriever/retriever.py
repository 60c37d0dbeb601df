"""The search: always over what the database holds now, whatever index there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from domain.documents import ScoredPassage
from domain.errors import QuestionInvalid
from domain.language import ENGLISH, language_of
from domain.protocols import Embedder, Facts, SearchContext, SearchResult
from domain.text import normalise
from retriever.asking import Asked
from retriever.correction import Lexicon, QueryCorrector
from retriever.ensemble import are_abroad
from retriever.live_index import LiveIndex
from retriever.opening import GenerationOpener, GenerationPointer, OpenEmbedder, SearchPair
from retriever.settings import RetrieverSettings
from retriever.snapshot import Hit, Snapshot
from storage.artifacts import ArtifactStore
from storage.documents import DocumentStore
from storage.vectors import VectorStore

Vector = NDArray[np.float32]  # (dimension,)


class Retriever:
    """Implements ``domain.protocols.Searcher``. Safe to use from several threads; call ``load`` at start-up.

    A search keeps the snapshot that it began with; ``LiveIndex`` says which one that is. ``open_embedder`` as in
    ``GenerationOpener``, ``on_degraded`` as in ``LiveIndex``.
    """

    def __init__(
        self,
        documents: DocumentStore,
        vectors: VectorStore,
        generations: GenerationPointer,
        artifacts: ArtifactStore,
        embedder: Embedder,
        settings: RetrieverSettings,
        *,
        open_embedder: OpenEmbedder | None = None,
        on_degraded: Callable[[], None] | None = None,
    ) -> None:
        self._documents = documents
        self._embedder = embedder
        self._settings = settings
        self._corrector = QueryCorrector(embedder) if isinstance(embedder, Lexicon) else None
        opener = GenerationOpener(generations, artifacts, embedder, open_embedder)
        self._live = LiveIndex(documents, vectors, opener, on_degraded)

    def load(self) -> None:
        """Open the live generation and catch up, so that no customer waits for it."""
        self._live.load()
        if self._corrector is not None:
            self._corrector.load()

    def search(
        self, query: str, top_k: int, collection: str | None = None, context: SearchContext | None = None
    ) -> SearchResult:
        """The best ``top_k`` live passages of the collection (None: of all) for the query, seen in its context.

        Raises:
            QuestionInvalid: empty or over-long query.
        """
        text = self._validated(query)
        pair = self._live.current()
        if self._corrector is not None:
            text = self._corrector.correct(text, pair.snapshot)
        asked = Asked(text, collection, context)
        result = self._search(asked, top_k, pair)
        found = [hit.passage.text for hit in result.passages]
        if are_abroad(found) and language_of(text) in (None, ENGLISH):  # the query was weighed for English documents
            result = self._search(replace(asked, abroad=True), top_k, pair)
        return result

    def _search(self, asked: Asked, top_k: int, pair: SearchPair) -> SearchResult:
        snapshot = pair.snapshot
        vectors = asked.encode(pair.embedder)
        # Callers compare them with texts of their own, which they embed with the configured embedder.
        for_callers = vectors if pair.embedder is self._embedder else asked.encode(self._embedder)
        if snapshot.passage_count == 0:
            return SearchResult((), snapshot.generation_id, *for_callers, asked.text)
        candidates = max(self._settings.candidates, 2 * top_k)
        hits = snapshot.search(asked.query(vectors[0]), candidates, self._settings.dense_weight)
        return SearchResult(
            self._fetch(hits, top_k, asked.collection), snapshot.generation_id, *for_callers, asked.text
        )

    def needs_reindex(self) -> bool:
        """True when the index is not what it should be: no usable generation, one that is stale, a delta grown large.

        Waits for a generation that is being opened.
        """
        pair = self._live.load()
        snapshot = pair.snapshot
        if snapshot.degraded is not None or pair.stale is not None or snapshot.unembedded_count > 0:
            return True
        if snapshot.generation_id is None:
            return snapshot.passage_count > 0
        return snapshot.delta_count > self._settings.max_delta

    def info(self) -> Facts:
        """For readiness checks: never touches the database. All zero before the first load."""
        pair = self._live.pair
        snapshot = pair.snapshot if pair else Snapshot(revision=0, dimension=0)
        return {
            "generation": snapshot.generation_id,
            "passages": snapshot.passage_count,
            "delta": snapshot.delta_count,
            "revision": snapshot.revision,
            "degraded": _degradation(snapshot),
            "stale": pair.stale if pair else None,
        }

    def follow(self) -> None:
        """Keep in step in a thread of its own until ``close``, for a process that serves."""
        self._live.follow()

    def close(self) -> None:
        """Stop following, and wait for a generation that is being opened behind the searches."""
        self._live.close()

    def _validated(self, query: str) -> str:
        limit = self._settings.max_query_chars
        if len(query) > limit:
            raise QuestionInvalid(
                f"The question has {len(query)} characters, at most {limit} are allowed.", "Ask a shorter question."
            )
        text = normalise(query).strip()
        if not text:
            raise QuestionInvalid("The question is empty.", "Write a question.")
        return text

    def _fetch(self, hits: Sequence[Hit], top_k: int, collection: str | None) -> tuple[ScoredPassage, ...]:
        """Read the texts; what was deleted since the snapshot is skipped and the next hit moves up."""
        found: list[ScoredPassage] = []
        for start in range(0, len(hits), max(top_k, 1)):
            if len(found) >= top_k:
                break
            batch = hits[start : start + top_k]
            live = self._documents.fetch_passages([hit.passage_id for hit in batch])
            for hit in batch:
                stored = live.get(hit.passage_id)
                if stored is not None and collection in (None, stored.collection):
                    found.append(
                        ScoredPassage(
                            stored=stored,
                            score=hit.score,
                            dense_score=hit.dense_score,
                            lexical_score=hit.lexical_score or None,
                            question_score=hit.question_score,
                        )
                    )
        return tuple(found[:top_k])


def _degradation(snapshot: Snapshot) -> str | None:
    if snapshot.degraded is not None:
        return snapshot.degraded
    if snapshot.unembedded_count:
        return (
            f"{snapshot.unembedded_count} passages have no vector of this embedder and are found by their words only; "
            "run 'answerdesk reindex'."
        )
    return None
