"""A searchable set of passages that never changes: the whole of a generation, or a part of the delta."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain.documents import StoredPassage
from domain.protocols import Vectors
from domain.windows import question_hash
from retriever.dense import FLAT_LIMIT, DenseIndex
from retriever.lexical import LexicalIndex
from retriever.spelling import SpellingIndex
from retriever.terms import extract_terms


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What the index keeps of a passage. A vector is (dimension,) float32; None where it is not known yet."""

    passage_id: str
    collection: str
    terms: tuple[str, ...]
    vector: NDArray[np.float32] | None
    question_vector: NDArray[np.float32] | None


def make_entries(passages: Sequence[StoredPassage], vectors: Mapping[str, NDArray[np.float32]]) -> list[IndexEntry]:
    """``vectors`` as in ``domain.windows.windows_by_hash``."""
    entries = []
    for stored, terms in zip(passages, extract_terms(s.passage.search_text for s in passages), strict=True):
        passage, asked = stored.passage, question_hash(stored.passage)
        vector, question = vectors.get(passage.search_hash), vectors.get(asked) if asked else None
        entries.append(IndexEntry(passage.passage_id, stored.collection, tuple(terms), vector, question))
    return entries


@dataclass(frozen=True)
class Segment:
    """Rows of the dense index: one a passage in their order, then one a FAQ question.

    ``passage_ids``: (n,) bytes, ascending. ``collection_codes``: (n,) places in ``collections``.
    ``row_passages``: (rows,) passage of a row. ``question_rows``: (n,) row of a passage's question, -1 without one.
    """

    passage_ids: NDArray[np.bytes_]
    collections: tuple[str, ...]
    collection_codes: NDArray[np.int32]
    row_passages: NDArray[np.int64]
    dense: DenseIndex
    lexical: LexicalIndex

    @classmethod
    def build(cls, entries: Iterable[IndexEntry], dimension: int, flat_limit: int = FLAT_LIMIT) -> Segment:
        """A passage without a vector gets a row of zeros, whose cosine is 0: only its words find it."""
        ordered = sorted(entries, key=lambda entry: entry.passage_id)
        collections = tuple(sorted({entry.collection for entry in ordered}))
        codes = {name: code for code, name in enumerate(collections)}
        asking = [n for n, entry in enumerate(ordered) if entry.question_vector is not None]
        vectors: Vectors = np.zeros((len(ordered) + len(asking), dimension), dtype=np.float32)
        for row, entry in enumerate(ordered):
            if entry.vector is not None:
                vectors[row] = entry.vector
        for row, number in enumerate(asking, start=len(ordered)):
            vectors[row] = ordered[number].question_vector
        return cls(
            passage_ids=np.array([entry.passage_id for entry in ordered], dtype=np.bytes_),
            collections=collections,
            collection_codes=np.array([codes[entry.collection] for entry in ordered], dtype=np.int32),
            row_passages=np.concatenate([np.arange(len(ordered)), np.array(asking, dtype=np.int64)]),
            dense=DenseIndex.build(vectors, flat_limit),
            lexical=LexicalIndex.build(entry.terms for entry in ordered),
        )

    def __len__(self) -> int:
        return len(self.passage_ids)

    @cached_property
    def question_rows(self) -> NDArray[np.int64]:
        rows = np.full(len(self), -1, dtype=np.int64)
        rows[self.row_passages[len(self) :]] = np.arange(len(self), len(self.row_passages))
        return rows

    @cached_property
    def spelling(self) -> SpellingIndex:
        """Built when the first unknown word is met; two threads may build it twice, which does no harm."""
        return SpellingIndex(self.lexical.vocabulary)

    def passage_id(self, number: int) -> str:
        return str(self.passage_ids[number], "ascii")

    def numbers(self, passage_ids: Iterable[str]) -> NDArray[np.int64]:
        """Places of those of the passages that are in this segment."""
        wanted = np.array(sorted(passage_ids), dtype=np.bytes_)
        if len(wanted) == 0 or len(self) == 0:
            return np.empty(0, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.passage_ids, wanted), len(self) - 1)
        return np.asarray(places[self.passage_ids[places] == wanted], dtype=np.int64)

    def in_collection(self, collection: str | None) -> NDArray[np.bool_]:
        """(n,) mask; no collection means all of them."""
        if collection is None:
            return np.ones(len(self), dtype=np.bool_)
        if collection not in self.collections:
            return np.zeros(len(self), dtype=np.bool_)
        return np.asarray(self.collection_codes == self.collections.index(collection))

    def cosines(self, query: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.dense.cosines(query, numbers)

    def question_cosines(self, query: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(numbers),), NaN where a passage has no question."""
        rows = self.question_rows[numbers]
        cosines = np.full(len(numbers), np.nan, dtype=np.float32)
        cosines[rows >= 0] = self.dense.cosines(query, rows[rows >= 0])
        return cosines
