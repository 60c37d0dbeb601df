from __future__ import annotations

import numpy as np

from retriever.segment import Segment, make_entries
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import segment_of, stored

EMBEDDER = HashEmbedder(128)
PASSAGES = [
    stored("Lamps have a warranty.", 1),
    stored("By post.", 2, "garden", question="How do parcels come?"),
    stored("We ship to Norway.", 3, "garden"),
    stored("Use the form.", 4, question="How do I complain?"),
]


def test_rows_of_passages_and_questions_are_kept_apart_whatever_the_order() -> None:
    segment = segment_of(PASSAGES[::-1], EMBEDDER)
    for one in PASSAGES:
        passage = one.passage
        [number] = segment.numbers([passage.passage_id])
        assert segment.passage_id(number) == passage.passage_id
        at = np.array([number])
        own, question = EMBEDDER.encode_queries([passage.search_text, passage.question or ""])
        assert segment.cosines(own, at)[0] > 0.999
        found = segment.question_cosines(question, at)[0]
        assert found > 0.999 if passage.question else np.isnan(found)


def test_collection_mask_names_exactly_its_passages() -> None:
    segment = segment_of(PASSAGES, EMBEDDER)
    garden = {segment.passage_id(int(n)) for n in np.flatnonzero(segment.in_collection("garden"))}
    assert garden == {PASSAGES[1].passage.passage_id, PASSAGES[2].passage.passage_id}
    assert segment.in_collection(None).all()
    assert not segment.in_collection("nowhere").any()


def test_unknown_ids_have_no_number() -> None:
    segment = segment_of(PASSAGES, EMBEDDER)
    known = PASSAGES[0].passage.passage_id
    assert len(segment.numbers(["0" * 32, "f" * 32, "", known + "0", known[:-1]])) == 0
    assert len(segment.numbers([])) == 0
    assert len(Segment.build([], 128).numbers([known])) == 0


def test_passage_without_a_vector_has_cosine_zero() -> None:
    segment = Segment.build(make_entries(PASSAGES, {}), 128)
    query = EMBEDDER.encode_queries(["warranty"])[0]
    assert segment.dense.rows == len(PASSAGES)
    assert segment.cosines(query, np.arange(len(PASSAGES))).tolist() == [0.0] * len(PASSAGES)
