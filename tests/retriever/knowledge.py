"""A small knowledge base on real SQLite and real files, with the retriever on top."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from domain.documents import Document, Passage, StoredPassage
from domain.ids import passage_id, sha256_hex
from domain.jobs import JobKind
from domain.protocols import Embedder, Searcher
from domain.windows import encode_windows, windows_by_hash
from retriever.opening import OpenEmbedder
from retriever.reindex import MeasureGolden, Reindexer
from retriever.retriever import Retriever
from retriever.segment import Segment, make_entries
from retriever.settings import RetrieverSettings
from storage.artifacts import ArtifactStore
from storage.documents import DocumentStore
from storage.generations import GenerationStore
from storage.jobs import JobStore
from storage.vectors import VectorStore
from tests.fakes import HashEmbedder

DIMENSION = 128


@dataclass(frozen=True)
class Entry:
    """A passage to be: its text, and the question if it is of a FAQ."""

    text: str
    question: str | None = None


class KnowledgeBase:
    def __init__(self, engine: Engine, folder: Path, embedder: Embedder | None = None) -> None:
        self.embedder: Embedder = embedder or HashEmbedder(DIMENSION)
        self.settings = RetrieverSettings(keep_generations=3)
        self.artifact_folder = folder / "artifacts"
        self.engine = engine
        self.documents = DocumentStore(engine)
        self.vectors = VectorStore(engine)
        self.generations = GenerationStore(engine)
        self.artifacts = ArtifactStore(self.artifact_folder)
        self.jobs = JobStore(engine)
        self.retriever = self.new_retriever()
        self.reindexer = self.new_reindexer()

    def new_retriever(
        self,
        embedder: Embedder | None = None,
        settings: RetrieverSettings | None = None,
        open_embedder: OpenEmbedder | None = None,
        on_degraded: Callable[[], None] | None = None,
    ) -> Retriever:
        return Retriever(
            self.documents,
            self.vectors,
            self.generations,
            self.artifacts,
            embedder or self.embedder,
            settings or self.settings,
            open_embedder=open_embedder,
            on_degraded=on_degraded,
        )

    def new_reindexer(
        self,
        embedder: Embedder | None = None,
        settings: RetrieverSettings | None = None,
        live: Searcher | None = None,
        golden: MeasureGolden | None = None,
    ) -> Reindexer:
        return Reindexer(
            self.documents,
            self.vectors,
            self.generations,
            self.artifacts,
            embedder or self.embedder,
            settings or self.settings,
            live=live,
            golden=golden,
        )

    def add(
        self,
        source: str,
        *entries: str | Entry,
        collection: str = "shop",
        heading: str = "",
        store_vectors: bool = True,
    ) -> Document:
        """Upload a document, or its next version, and take it to ``ready``."""
        pieces = [Entry(entry) if isinstance(entry, str) else entry for entry in entries]
        text = "\n\n".join(piece.text for piece in pieces)
        document, job = self.documents.accept_upload(
            collection=collection,
            source=source,
            title=source,
            media_type="text/plain",
            size_bytes=len(text),
            sha256=sha256_hex(f"{heading}|{pieces}"),
        )
        assert job is not None
        claimed = self.jobs.claim([JobKind.INGEST], "worker")
        assert claimed is not None
        passages = _passages(document, pieces, heading)
        texts = windows_by_hash(passages)
        rows = encode_windows(self.embedder, list(texts.values()))
        return self.documents.complete_ingest(
            claimed.job_id,
            claimed.fence,
            document.document_id,
            version=document.version,
            title=source,
            text=text,
            passages=passages,
            vectors=dict(zip(texts, rows, strict=True)) if store_vectors else {},
            fingerprint=self.embedder.fingerprint,
        )

    def texts(self, query: str, top_k: int = 5, collection: str | None = None) -> list[str]:
        return [hit.passage.text for hit in self.retriever.search(query, top_k, collection).passages]

    def generation_files(self, generation_id: str) -> list[Path]:
        return sorted(path for path in (self.artifact_folder / generation_id).iterdir() if path.is_file())

    def delete_folder(self, generation_id: str) -> None:
        shutil.rmtree(self.artifact_folder / generation_id)


def flip_bit(path: Path, at: float = 0.5) -> None:
    """Flip one bit, ``at`` 0..1 of the way through the file."""
    content = bytearray(path.read_bytes())
    content[min(len(content) - 1, int(len(content) * at))] ^= 0x10
    path.write_bytes(bytes(content))


def stored(text: str, number: int = 0, collection: str = "shop", question: str | None = None) -> StoredPassage:
    """A passage that no database knows."""
    made = Passage(passage_id("document", text, number), "document", 1, number, 0, len(text), text, (), question)
    return StoredPassage(made, collection, "source.txt", "Title")


def segment_of(passages: Sequence[StoredPassage], embedder: Embedder, flat_limit: int = 200_000) -> Segment:
    texts = windows_by_hash([one.passage for one in passages])
    vectors = dict(zip(texts, encode_windows(embedder, list(texts.values())), strict=True))
    return Segment.build(make_entries(passages, vectors), embedder.dimension, flat_limit)


def _passages(document: Document, pieces: Sequence[Entry], heading: str) -> list[Passage]:
    seen: Counter[str] = Counter()
    passages: list[Passage] = []
    start = 0
    for ordinal, piece in enumerate(pieces):
        passages.append(
            Passage(
                passage_id=passage_id(document.document_id, piece.text, seen[piece.text]),
                document_id=document.document_id,
                version=document.version,
                ordinal=ordinal,
                start_char=start,
                end_char=start + len(piece.text),
                text=piece.text,
                heading_path=(heading,) if heading else (),
                question=piece.question,
            )
        )
        seen[piece.text] += 1
        start += len(piece.text) + 2
    return passages
