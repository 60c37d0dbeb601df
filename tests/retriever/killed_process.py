"""A process that re-indexes and kills itself at a point, or goes on re-indexing until it is killed.

    python -m tests.retriever.killed_process URL FOLDER POINT LOG

``LOG`` takes a line for every text that is embedded. The points are reached through stores and an embedder that are
handed in; the product has no such switch.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from domain.indexing import GenerationRecord
from domain.protocols import Vectors
from retriever.reindex import Reindexer
from storage.artifacts import ArtifactStore, Staging
from storage.engine import create_database_engine
from storage.generations import GenerationStore
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import DIMENSION, KnowledgeBase

POINTS = (
    "while_embedding",
    "before_seal",
    "after_rename",
    "before_register",
    "before_pointer",
    "after_pointer",
    "while_pruning",
)


class LoggingEmbedder(HashEmbedder):
    def __init__(self, log: Path, point: str) -> None:
        super().__init__(DIMENSION)
        self._log = log
        self._point = point
        self._calls = 0

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self._calls += 1
        if self._calls == 2:
            die_at("while_embedding", self._point)
        with self._log.open("a", encoding="utf-8") as file:
            file.writelines(text.replace("\n", " ") + "\n" for text in texts)
        return super().encode_documents(texts)


class KilledArtifacts(ArtifactStore):
    point = ""

    @contextmanager
    def stage(self, artifact_id: str) -> Iterator[Staging]:
        with super().stage(artifact_id) as staging:
            yield staging
            die_at("before_seal", self.point)
        die_at("after_rename", self.point)

    def remove(self, artifact_id: str) -> None:
        die_at("while_pruning", self.point)
        super().remove(artifact_id)


class KilledGenerations(GenerationStore):
    point = ""

    def register(self, record: GenerationRecord) -> None:
        die_at("before_register", self.point)
        super().register(record)

    def promote(self, generation_id: str, *, expected_live: str | None) -> GenerationRecord:
        die_at("before_pointer", self.point)
        record = super().promote(generation_id, expected_live=expected_live)
        die_at("after_pointer", self.point)
        return record


def die_at(here: str, point: str) -> None:
    if here == point:
        os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, folder: str, point: str, log: str) -> None:
    kb = KnowledgeBase(create_database_engine(url), Path(folder))
    artifacts, generations = KilledArtifacts(kb.artifact_folder), KilledGenerations(kb.engine)
    artifacts.point = generations.point = point
    embedder = LoggingEmbedder(Path(log), point)
    reindexer = Reindexer(kb.documents, kb.vectors, generations, artifacts, embedder, kb.settings)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    while True:
        reindexer.run()
        if point in POINTS:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
