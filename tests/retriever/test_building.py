from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from domain.windows import encode_windows, windows_by_hash
from retriever.building import SegmentBuilder
from retriever.segment import IndexEntry, Segment, make_entries
from retriever.terms import extract_terms
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import stored

EMBEDDER = HashEmbedder(48)


def _entries(count: int) -> list[IndexEntry]:
    """Every third passage is of a FAQ, of three collections in turn, in the order of the ids."""
    passages = [
        stored(
            f"Passage {n} on matter{n % 7}, état\t“{n}”.",
            n,
            ("shop", "help", "b2b")[n % 3],
            f"What of {n}?" * (n % 3 == 0),
        )
        for n in range(count)
    ]
    texts = windows_by_hash([one.passage for one in passages])
    rows = encode_windows(EMBEDDER, list(texts.values()))
    entries = make_entries(passages, dict(zip(texts, rows, strict=True)))
    return sorted(entries, key=lambda entry: entry.passage_id)


def _built(entries: Sequence[IndexEntry], folder: Path, batch: int, flat_limit: int = 200_000) -> Segment:
    builder = SegmentBuilder(folder, EMBEDDER.dimension, flat_limit)
    for start in range(0, len(entries), batch):
        builder.add(entries[start : start + batch])
    return builder.build()


@pytest.mark.parametrize(
    ("count", "batch", "flat_limit"), [(0, 5, 200_000), (1, 5, 200_000), (40, 7, 200_000), (40, 40, 10)]
)
def test_batches_make_the_segment_that_all_entries_at_once_make(
    tmp_path: Path, count: int, batch: int, flat_limit: int
) -> None:
    entries = _entries(count)
    built, whole = _built(entries, tmp_path, batch, flat_limit), Segment.build(entries, EMBEDDER.dimension, flat_limit)
    for name in ("passage_ids", "collection_codes", "row_passages"):
        np.testing.assert_array_equal(getattr(built, name), getattr(whole, name))
        assert getattr(built, name).dtype.kind == getattr(whole, name).dtype.kind
    assert built.collections == whole.collections
    assert built.lexical.vocabulary == whole.lexical.vocabulary
    np.testing.assert_array_equal(built.lexical.saturations, whole.lexical.saturations)
    query = EMBEDDER.encode_queries(["matter3"])[0]
    rows = np.arange(whole.dense.rows)
    np.testing.assert_array_equal(built.dense.cosines(query, rows), whole.dense.cosines(query, rows))
    assert list(tmp_path.iterdir()) == []


def test_passage_without_a_vector_is_found_by_its_words_only(tmp_path: Path) -> None:
    [entry] = make_entries([stored("A lamp.")], {})
    segment = _built([entry], tmp_path, 1)
    assert segment.dense.cosines(EMBEDDER.encode_queries(["lamp"])[0], np.array([0]))[0] == 0.0
    assert segment.lexical.frequency(extract_terms(["lamp"])[0][0]) == 1
