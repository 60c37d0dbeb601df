"""The search: always over what the database holds now, whatever index there is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from domain.documents import ScoredPassage
from domain.errors import ArtifactCorrupt, ModelUnsuitable, QuestionInvalid
from domain.indexing import GenerationRecord
from domain.protocols import Embedder, Facts, SearchResult
from domain.text import normalise
from retriever.correction import Lexicon, QueryCorrector
from retriever.generation import open_generation
from retriever.passage_vectors import PassageVectors
from retriever.segment import Segment, make_entries
from retriever.settings import RetrieverSettings
from retriever.snapshot import Hit, LiveSegment, Query, Snapshot
from retriever.terms import extract_terms
from storage.artifacts import ArtifactStore
from storage.documents import DocumentStore
from storage.generations import GenerationStore
from storage.vectors import VectorStore

logger = logging.getLogger(__name__)

# Ingest stores the vectors of what it makes ready, so a search rarely has to embed passages. It may embed a few;
# more (after a change of the embedder) would keep the customer waiting and are left to the re-index.
_EMBED_IN_SEARCH = 64


class Retriever:
    """Implements ``domain.protocols.Searcher``. Safe to use from several threads; call ``load`` at start-up.

    Each search asks the database for its revision and its live generation. If either moved, the first thread to notice
    builds the next snapshot under a lock and swaps it in; a search keeps the snapshot that it began with.
    """

    def __init__(
        self,
        documents: DocumentStore,
        vectors: VectorStore,
        generations: GenerationStore,
        artifacts: ArtifactStore,
        embedder: Embedder,
        settings: RetrieverSettings,
    ) -> None:
        self._documents = documents
        self._passage_vectors = PassageVectors(vectors, embedder)
        self._generations = generations
        self._artifacts = artifacts
        self._embedder = embedder
        self._settings = settings
        self._corrector = QueryCorrector(embedder) if isinstance(embedder, Lexicon) else None
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def load(self) -> None:
        """Open the live generation and catch up, so that the first customer does not wait for it."""
        self._current()
        if self._corrector is not None:
            self._corrector.load()

    def search(self, query: str, top_k: int, collection: str | None = None) -> SearchResult:
        """The best ``top_k`` live passages of the collection (None: of all).

        Raises:
            QuestionInvalid: empty or over-long query.
        """
        text = self._validated(query)
        snapshot = self._current()
        if self._corrector is not None:
            text = self._corrector.correct(text, snapshot)
        vector = self._embedder.encode_queries([text])[0]
        if snapshot.passage_count == 0:
            return SearchResult((), snapshot.generation_id, vector)
        candidates = max(self._settings.candidates, 2 * top_k)
        hits = snapshot.search(
            Query(vector, extract_terms([text])[0], collection), candidates, self._settings.dense_weight
        )
        return SearchResult(self._fetch(hits, top_k, collection), snapshot.generation_id, vector)

    def needs_reindex(self) -> bool:
        """True when the index does not cover what it should: no usable generation, or a delta grown too large."""
        snapshot = self._current()
        if snapshot.degraded is not None or snapshot.unembedded_count > 0:
            return True
        if snapshot.generation_id is None:
            return snapshot.passage_count > 0
        return snapshot.delta_count > self._settings.max_delta

    def info(self) -> Facts:
        """For readiness checks: never touches the database. All zero before the first load."""
        snapshot = self._snapshot or Snapshot(revision=0, dimension=0)
        return {
            "generation": snapshot.generation_id,
            "passages": snapshot.passage_count,
            "delta": snapshot.delta_count,
            "revision": snapshot.revision,
            "degraded": _degradation(snapshot),
        }

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

    def _current(self) -> Snapshot:
        snapshot = self._snapshot
        if snapshot is not None and self._is_current(snapshot):
            return snapshot
        with self._lock:
            snapshot = self._snapshot  # another thread may have caught up meanwhile
            revision = self._documents.revision()
            live = self._generations.live()
            live_id = live.generation_id if live else None
            # A lower revision than ours means that the database was restored from a backup: begin anew.
            if snapshot is None or snapshot.live_id != live_id or revision < snapshot.revision:
                snapshot = self._open(live)
            if snapshot.revision != revision:
                snapshot = self._catch_up(snapshot)
            self._snapshot = snapshot
        return snapshot

    def _is_current(self, snapshot: Snapshot) -> bool:
        if snapshot.revision != self._documents.revision():
            return False
        live = self._generations.live()
        return snapshot.live_id == (live.generation_id if live else None)

    def _catch_up(self, snapshot: Snapshot) -> Snapshot:
        changes = self._documents.changes_since(snapshot.revision)
        found = self._passage_vectors.find(changes.added, embed_at_most=_EMBED_IN_SEARCH)
        entries = make_entries(changes.added, found.by_key)
        advanced = snapshot.advance(changes.revision, entries, changes.removed)
        logger.info(
            "Caught up with the database",
            extra={"revision": changes.revision, "added": len(entries), "removed": len(changes.removed)},
        )
        return advanced

    def _open(self, live: GenerationRecord | None) -> Snapshot:
        """A snapshot of the live generation; of the next intact one when it cannot be used; else of nothing."""
        empty = Snapshot(revision=0, dimension=self._embedder.dimension)
        if live is None:
            return empty
        empty = replace(empty, live_id=live.generation_id)
        failures: list[str] = []
        for record in self._openable(live):
            segment = self._try_open(record, failures)
            if segment is not None:
                degraded = f"{failures[0]} Generation {record.generation_id} answers instead." if failures else None
                return replace(
                    empty,
                    revision=record.revision,
                    generation_id=record.generation_id,
                    base=LiveSegment.of(segment),
                    degraded=degraded,
                )
        return replace(empty, degraded=f"{failures[0]} No other generation is intact; passages are searched unindexed.")

    def _openable(self, live: GenerationRecord) -> list[GenerationRecord]:
        """The live generation, the one before it, then every other from the newest on."""
        previous = self._generations.previous()
        ordered = [live, *([previous] if previous else []), *self._generations.list_generations()]
        return list({record.generation_id: record for record in ordered}.values())

    def _try_open(self, record: GenerationRecord, failures: list[str]) -> Segment | None:
        try:
            return open_generation(self._artifacts, record, self._embedder)
        except (ArtifactCorrupt, ModelUnsuitable) as error:
            logger.error(
                "An index generation cannot be used",
                extra={"generation": record.generation_id, "reason": error.detail},
            )
            failures.append(error.detail)
            return None


def _degradation(snapshot: Snapshot) -> str | None:
    if snapshot.degraded is not None:
        return snapshot.degraded
    if snapshot.unembedded_count:
        return (
            f"{snapshot.unembedded_count} passages have no vector of this embedder and are found by their words only; "
            "run 'answerdesk reindex'."
        )
    return None
