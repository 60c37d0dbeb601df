"""From the pointer in the database to an index in memory, with the embedder that its vectors are of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from domain.documents import PASSAGE_FORMAT
from domain.errors import ArtifactCorrupt, ModelMissing, ModelUnsuitable
from domain.indexing import GenerationRecord
from domain.protocols import Embedder
from retriever.generation import open_generation
from retriever.snapshot import LiveSegment, Query, Snapshot
from storage.artifacts import ArtifactStore

logger = logging.getLogger(__name__)

# Opens and loads the embedder that a manifest describes; see ``generation.embedder_recipe``.
OpenEmbedder = Callable[[Mapping[str, Any]], Embedder]


class GenerationPointer(Protocol):
    """What says which generation is live; ``storage.generations.GenerationStore`` is one."""

    def live(self) -> GenerationRecord | None: ...

    def previous(self) -> GenerationRecord | None: ...

    def list_generations(self) -> list[GenerationRecord]: ...


@dataclass(frozen=True, slots=True)
class SearchPair:
    """An index and the embedder that its vectors are of: a query is embedded by no other.

    ``stale`` says why the index should be built again although it answers well; None when it is up to date.
    """

    snapshot: Snapshot
    embedder: Embedder
    stale: str | None = None

    def warm_up(self) -> None:
        """Touch what the first search would otherwise wait for: pages of the files, the index of misspellings."""
        vector = np.zeros(self.snapshot.dimension, dtype=np.float32)
        self.snapshot.search(Query(vector, ("warmm",), None), candidates=1, dense_weight=1.0)


class GenerationOpener:
    """
    Args:
        embedder: the configured one; what is built from now on has its vectors.
        open_embedder: opens a former one, so that a generation built with it answers until the next is promoted.
            None refuses such a generation.
    """

    def __init__(
        self,
        generations: GenerationPointer,
        artifacts: ArtifactStore,
        embedder: Embedder,
        open_embedder: OpenEmbedder | None = None,
    ) -> None:
        self._generations = generations
        self._artifacts = artifacts
        self._embedder = embedder
        self._open_embedder = open_embedder

    def live_id(self) -> str | None:
        live = self._generations.live()
        return live.generation_id if live else None

    def open(self) -> SearchPair:
        """The live generation; the next intact one when it cannot be used; else an index of nothing."""
        live = self._generations.live()
        if live is None:
            return self._nothing(None, None)
        failures: list[str] = []
        for record in self._openable(live):
            try:
                return self._open(record, live.generation_id, failures)
            except (ArtifactCorrupt, ModelMissing, ModelUnsuitable) as error:
                logger.error(
                    "An index generation cannot be used",
                    extra={"generation": record.generation_id, "reason": error.detail},
                )
                failures.append(error.detail)
        return self._nothing(
            live.generation_id, f"{failures[0]} No other generation is intact; passages are searched unindexed."
        )

    def _open(self, record: GenerationRecord, live_id: str, failures: list[str]) -> SearchPair:
        embedder, stale = self._embedder, None
        facts = self._artifacts.facts(record.generation_id, record.manifest_sha256)
        if record.embedder_fingerprint != embedder.fingerprint and self._open_embedder is not None:
            embedder, stale = self._former(record, facts), "The embedder was changed since the index was built."
        elif facts.get("passage_format") != PASSAGE_FORMAT and self._is_newest(record):
            stale = "Passages are cut or embedded in another way since the index was built."
        segment = open_generation(self._artifacts, record, embedder)
        snapshot = Snapshot(
            revision=record.revision,
            dimension=embedder.dimension,
            live_id=live_id,
            generation_id=record.generation_id,
            base=LiveSegment.of(segment),
            degraded=f"{failures[0]} Generation {record.generation_id} answers instead." if failures else None,
        )
        return SearchPair(snapshot, embedder, stale)

    def _is_newest(self, record: GenerationRecord) -> bool:
        """Otherwise somebody went back to it on purpose, which a re-index by itself would undo."""
        return [one.generation_id for one in self._generations.list_generations()[:1]] == [record.generation_id]

    def _former(self, record: GenerationRecord, facts: Mapping[str, Any]) -> Embedder:
        """
        Raises:
            ModelMissing, ModelUnsuitable: the embedder is not there any more, or is another one by now.
        """
        recipe = facts.get("embedder")
        former = self._open_embedder(recipe) if self._open_embedder is not None and recipe is not None else None
        if former is None or former.fingerprint != record.embedder_fingerprint:
            raise ModelUnsuitable(
                f"Generation {record.generation_id} was built with embedder {record.embedder_fingerprint}, which is "
                f"not at hand; {self._embedder.fingerprint} is loaded.",
                "Run 'answerdesk reindex' to build a new generation, or configure the former embedder again.",
            )
        logger.info("A former embedder answers until the next re-index", extra={"fingerprint": former.fingerprint})
        return former

    def _nothing(self, live_id: str | None, degraded: str | None) -> SearchPair:
        snapshot = Snapshot(revision=0, dimension=self._embedder.dimension, live_id=live_id, degraded=degraded)
        return SearchPair(snapshot, self._embedder)

    def _openable(self, live: GenerationRecord) -> list[GenerationRecord]:
        """The live generation, the one before it, then every other from the newest on."""
        previous = self._generations.previous()
        ordered = [live, *([previous] if previous else []), *self._generations.list_generations()]
        return list({record.generation_id: record for record in ordered}.values())
