"""Building the next index generation beside the live one, and putting it in its place."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from domain.documents import StoredPassage
from domain.errors import GenerationNotFound
from domain.ids import new_id
from domain.indexing import GenerationRecord
from domain.protocols import Embedder, ProgressListener
from retriever.gate import SAMPLE, GateFigures, Probe, check, measure
from retriever.generation import (
    ID_PREFIX,
    describe,
    embedder_recipe,
    open_generation,
    open_segment,
    write_segment,
)
from retriever.passage_vectors import PassageVectors
from retriever.segment import IndexEntry, Segment, make_entries
from retriever.settings import RetrieverSettings
from storage.artifacts import ArtifactStore
from storage.documents import DocumentStore
from storage.generations import GenerationStore
from storage.vectors import VectorStore

logger = logging.getLogger(__name__)

_BATCH = 500  # passages a step: one progress report, one look at the vector table


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """``embedded`` and ``reused`` count vectors, of which a FAQ entry has two. ``gate`` holds the gate's figures."""

    generation_id: str
    revision: int
    passages: int
    embedded: int
    reused: int
    seconds: float
    gate: Mapping[str, float]
    promoted: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Collected:
    revision: int
    entries: Sequence[IndexEntry]
    probes: Sequence[Probe]
    embedded: int
    reused: int


class Reindexer:
    """One run at a time: the job queue sees to that. Nothing here touches the live generation before the promotion."""

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

    def run(
        self, *, full: bool = False, promote: bool = True, progress: ProgressListener | None = None
    ) -> ReindexReport:
        """Build, read back, gate, register, promote, prune.

        Args:
            full: embed every text again instead of using stored vectors.
            promote: False registers the generation and leaves the live one in place.

        Raises:
            GateFailed: the new generation does not find what it should; it is removed.
            PromotionConflict: another generation was promoted meanwhile; the new one stays registered.
            StorageFull: there is no room for the new generation; what was written of it is removed.
        """
        started = time.monotonic()
        live = self._generations.live()
        collected = self._collect(full, progress)
        generation_id = ID_PREFIX + new_id()
        manifest_sha256 = self._publish(generation_id, collected)
        figures = self._gate(generation_id, manifest_sha256, collected.probes)
        self._register(generation_id, manifest_sha256, collected, figures)
        if promote:
            self._generations.promote(generation_id, expected_live=live.generation_id if live else None)
            self._prune()
        report = ReindexReport(
            generation_id=generation_id,
            revision=collected.revision,
            passages=len(collected.entries),
            embedded=collected.embedded,
            reused=collected.reused,
            seconds=time.monotonic() - started,
            gate=figures.to_dict(),
            promoted=promote,
        )
        logger.info("Built an index generation", extra=report.to_dict())
        return report

    def promote(self, generation_id: str) -> GenerationRecord:
        """Make an older or a not yet promoted generation the live one, once its files are verified.

        Raises:
            GenerationNotFound, ArtifactCorrupt, ModelUnsuitable, PromotionConflict
        """
        live = self._generations.live()
        open_generation(self._artifacts, self._generations.get(generation_id), self._embedder)
        return self._generations.promote(generation_id, expected_live=live.generation_id if live else None)

    def rollback(self) -> GenerationRecord:
        """Promote the generation that was live before.

        Raises:
            GenerationNotFound: there is none; else as ``promote``.
        """
        previous = self._generations.previous()
        if previous is None:
            raise GenerationNotFound("No generation was live before this one.", "Build one with 'answerdesk reindex'.")
        return self.promote(previous.generation_id)

    def _collect(self, full: bool, progress: ProgressListener | None) -> _Collected:
        """All live passages with their vectors. Writes that happen meanwhile are newer than the revision read first,
        so the retriever's delta has them."""
        revision = self._documents.revision()
        total = self._documents.count_passages()
        every = max(1, total // SAMPLE)
        entries: list[IndexEntry] = []
        probes: list[Probe] = []
        embedded = reused = 0
        for batch in self._documents.iterate_passages(_BATCH):
            found = self._passage_vectors.find(batch, afresh=full)
            fresh = make_entries(batch, found.by_key)
            sampled = [n for n in range(len(fresh)) if (len(entries) + n) % every == 0]
            probes.extend(_probe(batch[n], fresh[n]) for n in sampled)
            entries.extend(fresh)
            embedded, reused = embedded + found.embedded, reused + found.reused
            if progress is not None:
                progress(len(entries), max(total, len(entries)))
        return _Collected(revision, entries, probes[:SAMPLE], embedded, reused)

    def _publish(self, generation_id: str, collected: _Collected) -> str:
        segment = Segment.build(collected.entries, self._embedder.dimension)
        with self._artifacts.stage(generation_id) as staging:
            write_segment(segment, staging.path)
            staging.facts = describe(segment, self._embedder, collected.revision, embedder_recipe(self._settings))
        return staging.manifest_sha256

    def _gate(self, generation_id: str, manifest_sha256: str, probes: Sequence[Probe]) -> GateFigures:
        passed = False
        try:
            segment = open_segment(self._artifacts, generation_id, manifest_sha256, self._embedder)
            figures = measure(segment, probes, self._settings.dense_weight)
            check(figures)
            passed = True
        finally:
            if not passed:
                self._artifacts.remove(generation_id)
        return figures

    def _register(self, generation_id: str, manifest: str, collected: _Collected, figures: GateFigures) -> None:
        record = GenerationRecord(
            generation_id=generation_id,
            revision=collected.revision,
            manifest_sha256=manifest,
            embedder_fingerprint=self._embedder.fingerprint,
            passage_count=len(collected.entries),
            gate=figures.to_dict(),
            created_at=datetime.now(UTC),
            is_live=False,
        )
        self._generations.register(record)

    def _prune(self) -> None:
        """Keep the newest generations, always with the live one and the one to roll back to; drop folders that no
        record names, which a run killed between publishing and registering leaves behind."""
        records = self._generations.list_generations()
        previous = self._generations.previous()
        live_first = sorted(records, key=lambda record: not record.is_live)  # stable: then from the newest on
        wanted = [*live_first[:1], *([previous] if previous else []), *live_first]
        ids = list(dict.fromkeys(record.generation_id for record in wanted))
        kept = set(ids[: self._settings.keep_generations])
        for record in records:
            if record.generation_id not in kept:
                self._generations.forget(record.generation_id)
        for artifact_id in self._artifacts.list_ids():
            if artifact_id.startswith(ID_PREFIX) and artifact_id not in kept:
                self._artifacts.remove(artifact_id)


def _probe(stored: StoredPassage, entry: IndexEntry) -> Probe:
    assert entry.vector is not None, "a re-index embeds every passage"
    return Probe(entry.passage_id, entry.vector, stored.passage.question, entry.question_vector)
