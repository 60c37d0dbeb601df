"""Building the next index generation beside the live one, and putting it in its place."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from domain.documents import StoredPassage
from domain.errors import GenerationNotFound
from domain.ids import new_id
from domain.indexing import GenerationRecord
from domain.protocols import Embedder, ProgressListener, Searcher
from retriever.building import SegmentBuilder
from retriever.gate import SAMPLE, GoldenFigures, Probe, check, check_golden, measure
from retriever.generation import (
    ID_PREFIX,
    describe,
    embedder_recipe,
    open_generation,
    verify_generation,
    write_segment,
)
from retriever.passage_vectors import PassageVectors
from retriever.retriever import Retriever
from retriever.segment import IndexEntry, make_entries
from retriever.settings import RetrieverSettings
from storage.artifacts import ArtifactStore
from storage.documents import DocumentStore
from storage.generations import GenerationStore
from storage.vectors import VectorStore

logger = logging.getLogger(__name__)

MeasureGolden = Callable[[Searcher], float]

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
class _Built:
    """What is in the new folder; the segment itself is not kept, the gate reads it back from the disk."""

    manifest_sha256: str
    revision: int
    passages: int
    probes: Sequence[Probe]
    embedded: int
    reused: int


class Reindexer:
    """One run at a time: the job queue sees to that. Nothing here touches the live generation before the promotion.

    Args:
        live: searches the live generation, to compare it with the new one on the golden questions.
        golden: recall@5 of a searcher on the company's golden questions; None where there are none.
    """

    def __init__(
        self,
        documents: DocumentStore,
        vectors: VectorStore,
        generations: GenerationStore,
        artifacts: ArtifactStore,
        embedder: Embedder,
        settings: RetrieverSettings,
        live: Searcher | None = None,
        golden: MeasureGolden | None = None,
    ) -> None:
        self._documents = documents
        self._vectors = vectors
        self._passage_vectors = PassageVectors(vectors, embedder)
        self._generations = generations
        self._artifacts = artifacts
        self._embedder = embedder
        self._settings = settings
        self._live = live
        self._golden = golden

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
        self._artifacts.sweep()
        live = self._generations.live()
        generation_id = ID_PREFIX + new_id()
        built = self._build(generation_id, full, progress)
        record = self._gate(generation_id, built, has_live=live is not None)
        self._generations.register(record)
        if promote:
            self._generations.promote(generation_id, expected_live=live.generation_id if live else None)
            self._prune()
        report = ReindexReport(
            generation_id=generation_id,
            revision=built.revision,
            passages=built.passages,
            embedded=built.embedded,
            reused=built.reused,
            seconds=time.monotonic() - started,
            gate=record.gate,
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
        verify_generation(self._artifacts, self._generations.get(generation_id), self._embedder)
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

    def _build(self, generation_id: str, full: bool, progress: ProgressListener | None) -> _Built:
        """All live passages with their vectors, a batch at a time. Writes that happen meanwhile are newer than the
        revision read first, so the retriever's delta has them."""
        revision = self._documents.revision()
        total = self._documents.count_passages()
        every = max(1, total // SAMPLE)
        probes: list[Probe] = []
        embedded = reused = 0
        with self._artifacts.stage(generation_id) as staging:
            builder = SegmentBuilder(staging.path, self._embedder.dimension)
            for batch in self._documents.iterate_passages(_BATCH):
                found = self._passage_vectors.find(batch, afresh=full)
                entries = make_entries(batch, found.by_key)
                sampled = [n for n in range(len(entries)) if (len(builder) + n) % every == 0]
                probes.extend(_probe(batch[n], entries[n]) for n in sampled)
                builder.add(entries)
                embedded, reused = embedded + found.embedded, reused + found.reused
                if progress is not None:
                    progress(len(builder), max(total, len(builder)))
            segment = builder.build()
            write_segment(segment, staging.path)
            staging.facts = describe(segment, self._embedder, revision, embedder_recipe(self._settings))
        return _Built(staging.manifest_sha256, revision, len(builder), probes[:SAMPLE], embedded, reused)

    def _gate(self, generation_id: str, built: _Built, *, has_live: bool) -> GenerationRecord:
        record = GenerationRecord(
            generation_id=generation_id,
            revision=built.revision,
            manifest_sha256=built.manifest_sha256,
            embedder_fingerprint=self._embedder.fingerprint,
            passage_count=built.passages,
            gate={},
            created_at=datetime.now(UTC),
            is_live=False,
        )
        passed = False
        try:
            figures = self._probe_generation(record, built.probes) | self._ask_golden(record, has_live)
            passed = True
        finally:
            if not passed:
                self._artifacts.remove(generation_id)
        return replace(record, gate=figures)

    def _probe_generation(self, record: GenerationRecord, probes: Sequence[Probe]) -> dict[str, float]:
        segment = open_generation(self._artifacts, record, self._embedder)
        figures = measure(segment, probes, self._settings.dense_weight)
        check(figures)
        return figures.to_dict()

    def _ask_golden(self, record: GenerationRecord, has_live: bool) -> dict[str, float]:
        """Both generations search what the database holds now, so only what changed in the index is compared."""
        if self._golden is None:
            return {}
        stores = (self._documents, self._vectors, _Only(record), self._artifacts)
        after = self._golden(Retriever(*stores, self._embedder, self._settings))
        before = self._golden(self._live) if has_live and self._live is not None else None
        figures = GoldenFigures(after, before)
        check_golden(figures, self._settings.golden_floor, self._settings.golden_margin)
        return figures.to_dict()

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


@dataclass(frozen=True, slots=True)
class _Only:
    """A pointer at one generation, registered or not."""

    record: GenerationRecord

    def live(self) -> GenerationRecord:
        return self.record

    def previous(self) -> None:
        return None

    def list_generations(self) -> list[GenerationRecord]:
        return [self.record]


def _probe(stored: StoredPassage, entry: IndexEntry) -> Probe:
    assert entry.vector is not None, "a re-index embeds every passage"
    return Probe(entry.passage_id, entry.vector, stored.passage.question, entry.question_vector)
