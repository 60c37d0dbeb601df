"""A segment built from batches: vectors and terms wait on the disk, so memory holds the index and little more."""

from __future__ import annotations

import json
import shutil
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from retriever.dense import FLAT_LIMIT, DenseIndex
from retriever.lexical import LexicalIndex
from retriever.segment import IndexEntry, Segment


class SegmentBuilder:
    """Add batches in ascending order of the passages' ids, then ``build`` once. The result is ``Segment.build``'s.

    Args:
        folder: for the files that wait; they are gone after ``build``, and the caller's to remove after an error.
    """

    def __init__(self, folder: Path, dimension: int, flat_limit: int = FLAT_LIMIT) -> None:
        self._dimension = dimension
        self._flat_limit = flat_limit
        self._texts = folder / "waiting-text-vectors"
        self._questions = folder / "waiting-question-vectors"
        self._terms = folder / "waiting-terms"
        self._ids: list[bytes] = []
        self._codes = array("i")
        self._collections: dict[str, int] = {}  # in the order of their first passage
        self._asking = array("q")  # numbers of the passages with a question

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """A passage without a vector gets a row of zeros: only its words find it."""
        texts = np.zeros((len(entries), self._dimension), dtype=np.float32)
        asked = []
        for place, entry in enumerate(entries):
            if entry.vector is not None:
                texts[place] = entry.vector
            if entry.question_vector is not None:
                asked.append(entry.question_vector)
                self._asking.append(len(self._ids))
            self._ids.append(entry.passage_id.encode("ascii"))
            self._codes.append(self._collections.setdefault(entry.collection, len(self._collections)))
        questions = np.array(asked, dtype=np.float32).reshape(len(asked), self._dimension)
        lines = "".join(json.dumps(entry.terms, ensure_ascii=True) + "\n" for entry in entries)
        for path, content in (
            (self._texts, texts.data),
            (self._questions, questions.data),
            (self._terms, lines.encode()),
        ):
            with path.open("ab") as file:
                file.write(content)

    def build(self) -> Segment:
        collections = tuple(sorted(self._collections))
        place = {name: number for number, name in enumerate(collections)}
        codes = np.array([place[name] for name in self._collections], dtype=np.int32)
        segment = Segment(
            passage_ids=np.array(self._ids, dtype=np.bytes_),
            collections=collections,
            collection_codes=codes[np.frombuffer(self._codes, dtype=np.int32)] if self._codes else codes,
            row_passages=np.concatenate([np.arange(len(self)), np.array(self._asking, dtype=np.int64)]),
            dense=self._build_dense(),
            lexical=LexicalIndex.build(self._read_terms()),
        )
        for path in (self._texts, self._questions, self._terms):
            path.unlink(missing_ok=True)
        return segment

    def _build_dense(self) -> DenseIndex:
        rows = len(self) + len(self._asking)
        if rows == 0:
            return DenseIndex.build(np.zeros((0, self._dimension), dtype=np.float32), self._flat_limit)
        with self._texts.open("ab") as file, self._questions.open("rb") as questions:
            shutil.copyfileobj(questions, file)
        vectors = np.memmap(self._texts, dtype=np.float32, mode="r", shape=(rows, self._dimension))
        return DenseIndex.build(vectors, self._flat_limit)

    def _read_terms(self) -> Iterator[list[str]]:
        if len(self):
            with self._terms.open("rb") as file:
                for line in file:
                    yield json.loads(line)
