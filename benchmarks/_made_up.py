"""A knowledge base of any size that nobody wrote: for measuring memory and time, not quality."""

from __future__ import annotations

import resource

import numpy as np

from api.bootstrap import Services
from domain.documents import Passage
from domain.ids import passage_id, sha256_hex
from domain.jobs import JobKind
from domain.protocols import Vectors

_WORDS_A_PASSAGE = 60
_VOCABULARY = 50_000
_CENTRES = 500
_A_DOCUMENT = 500  # passages
_VICTIMS = 400  # documents of one passage, to be deleted during a measurement


class MadeUpKnowledge:
    """Words drawn by a power law, vectors scattered around 500 centres; the same for the same size."""

    def __init__(self, services: Services, passages: int, victims: int = _VICTIMS) -> None:
        self._services = services
        self._passages = passages
        self._victim_count = victims
        self._rng = np.random.default_rng(7)
        weights = 1.0 / np.arange(1, _VOCABULARY + 1)
        self._shares = weights / weights.sum()
        dimension = services.embedder.dimension
        self._centres = self._rng.standard_normal((_CENTRES, dimension)).astype(np.float32)
        self._victims: list[str] = []

    def fill(self) -> None:
        """Each document is written as an ingest job would, with its vectors; nothing is embedded."""
        for number in range(-(-self._passages // _A_DOCUMENT)):
            self._write(f"{number}.txt", min(_A_DOCUMENT, self._passages - number * _A_DOCUMENT), "")
        for number in range(self._victim_count):
            self._victims.append(self._write(f"victim{number}.txt", 1, _victim_word(number)))

    def question(self, number: int) -> str:
        """A few frequent words; every third asks for a document that was deleted, or will be."""
        if number % 3 == 0:
            return f"what about {_victim_word(number // 3 % self._victim_count)} then"
        first = number * 7919 % 900
        return f"how does {_word(first)} {_word(first * 3 % 2000)} {_word(first * 11 % 9000)} work"

    def add(self, number: int) -> str:
        """One more document of one passage, ready at return; returns the question that it answers."""
        question = f"what about xj{_word(number + 70_000)}"
        self._write(f"added{number}.txt", 1, question, self._services.embedder.encode_queries([question]))
        return question

    def next_victim(self) -> str | None:
        """None when all are taken."""
        return self._victims.pop(0) if self._victims else None

    def _write(self, source: str, count: int, extra: str, vectors: Vectors | None = None) -> str:
        words = self._rng.choice(_VOCABULARY, size=(count, _WORDS_A_PASSAGE), p=self._shares)
        texts = [" ".join([*(_word(int(n)) for n in row), extra]).strip() for row in words]
        _, job = self._services.documents.accept_upload(
            collection="made-up",
            source=source,
            title=source,
            media_type="text/plain",
            size_bytes=1,
            sha256=sha256_hex(source),
        )
        assert job is not None
        claimed = self._services.jobs.claim([JobKind.INGEST], "filler")
        assert claimed is not None
        document_id = str(claimed.payload["document_id"])
        passages, start = [], 0
        for ordinal, text in enumerate(texts):
            identifier = passage_id(document_id, text, 0)
            passages.append(Passage(identifier, document_id, 1, ordinal, start, start + len(text), text))
            start += len(text) + 1
        rows = self._draw_vectors(count) if vectors is None else vectors
        self._services.documents.complete_ingest(
            claimed.job_id,
            claimed.fence,
            document_id,
            version=1,
            title=source,
            text="\n".join(texts),
            passages=passages,
            vectors=dict(zip([passage.search_hash for passage in passages], rows, strict=True)),
            fingerprint=self._services.embedder.fingerprint,
        )
        return document_id

    def _draw_vectors(self, count: int) -> Vectors:
        rows = self._centres[self._rng.integers(0, _CENTRES, count)]
        rows = rows + self._rng.standard_normal(rows.shape).astype(np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def peak_rss_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _word(number: int) -> str:
    """A pronounceable word for each number below half a million."""
    syllables = []
    number += 300
    while number:
        number, rest = divmod(number, 75)
        syllables.append("bdfgklmnprstvzw"[rest % 15] + "aeiou"[rest // 15])
    return "".join(syllables)


def _victim_word(number: int) -> str:
    return f"zq{_word(number + 70_000)}"
