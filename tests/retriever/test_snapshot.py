from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.documents import StoredPassage
from retriever.segment import IndexEntry, make_entries
from retriever.snapshot import LiveSegment, Query, Snapshot
from retriever.terms import extract_terms
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import segment_of, stored

EMBEDDER = HashEmbedder(32)
WORDS = ("lamp", "parcel", "refund", "norway", "battery")
COLLECTIONS = ("alpha", "beta", "gamma")

passage_strategy = st.builds(
    lambda number, collection, chosen: stored(" ".join(chosen), number, collection),
    st.integers(0, 20),
    st.sampled_from(COLLECTIONS),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
)


def entries(passages: list[StoredPassage]) -> list[IndexEntry]:
    texts = {s.passage.search_hash: s.passage.search_text for s in passages}
    return make_entries(passages, dict(zip(texts, EMBEDDER.encode_documents(list(texts.values())), strict=True)))


def ask(text: str, collection: str | None = None) -> Query:
    return Query(EMBEDDER.encode_queries([text])[0], extract_terms([text])[0], collection)


def unique(passages: list[StoredPassage]) -> list[StoredPassage]:
    return list({s.passage.passage_id: s for s in passages}.values())


@settings(max_examples=60, deadline=None)
@given(
    base=st.lists(passage_strategy, max_size=12).map(unique),
    steps=st.lists(
        st.tuples(st.lists(passage_strategy, max_size=6).map(unique), st.sets(st.integers(0, 30), max_size=4)),
        max_size=5,
    ),
    question=st.lists(st.sampled_from((*WORDS, "unheard")), min_size=1, max_size=3).map(" ".join),
    collection=st.sampled_from((*COLLECTIONS, None, "nowhere")),
)
def test_search_returns_exactly_the_live_passages_of_the_collection(
    base: list[StoredPassage],
    steps: list[tuple[list[StoredPassage], set[int]]],
    question: str,
    collection: str | None,
) -> None:
    """With enough candidates nothing foreign, dead or doubled comes back, and nothing living is lost."""
    snapshot = Snapshot(revision=0, dimension=32, base=LiveSegment.of(segment_of(base, EMBEDDER)))
    living = {s.passage.passage_id: s.collection for s in base}
    for added, picks in steps:
        ordered = sorted(living)
        removed = {ordered[pick] for pick in picks if pick < len(ordered)}
        snapshot = snapshot.advance(snapshot.revision + 1, entries(added), removed)
        living = {key: value for key, value in living.items() if key not in removed}
        living |= {s.passage.passage_id: s.collection for s in added}
    found = [hit.passage_id for hit in snapshot.search(ask(question, collection), 100, 0.6)]
    assert len(found) == len(set(found))
    assert set(found) == {key for key, home in living.items() if collection in (None, home)}
    assert snapshot.passage_count == len(living)


def test_advance_leaves_the_former_snapshot_as_it_was() -> None:
    passages = [stored("lamp battery", 1), stored("parcel refund", 2)]
    before = Snapshot(revision=0, dimension=32, base=LiveSegment.of(segment_of(passages, EMBEDDER)))
    after = before.advance(1, entries([stored("norway", 3)]), [passages[0].passage.passage_id])
    assert len(before.search(ask("lamp"), 10, 0.6)) == 2
    assert {hit.passage_id for hit in after.search(ask("lamp"), 10, 0.6)} == {
        passages[1].passage.passage_id,
        stored("norway", 3).passage.passage_id,
    }


def test_small_delta_segments_are_merged_and_scores_do_not_depend_on_how() -> None:
    passages = [stored(f"lamp number {n} with battery {n % 3}", n) for n in range(40)]
    stepwise = Snapshot(revision=0, dimension=32)
    for n, passage in enumerate(passages):
        stepwise = stepwise.advance(n + 1, entries([passage]), [])
    at_once = Snapshot(revision=0, dimension=32).advance(1, entries(passages), [])
    assert len(stepwise.delta) <= 6
    left, right = (one.search(ask("battery of lamp 7"), 100, 0.0) for one in (stepwise, at_once))
    # Lengths are compared with the mean of their own segment, the only thing that a merge may change.
    for one, other in zip(left, right, strict=True):
        assert abs(one.score - other.score) < 0.1
    assert left[0].passage_id == right[0].passage_id


def test_rare_word_of_the_delta_weighs_by_all_segments_together() -> None:
    base = LiveSegment.of(segment_of([stored(f"lamp {n}", n) for n in range(30)], EMBEDDER))
    snapshot = Snapshot(revision=0, dimension=32, base=base).advance(1, entries([stored("lamp crank", 99)]), [])
    hits = snapshot.search(ask("lamp crank"), 50, 0.0)
    assert hits[0].passage_id == stored("lamp crank", 99).passage.passage_id
    assert hits[0].score > 2 * hits[1].score


def test_query_of_stop_words_is_judged_by_meaning_alone() -> None:
    base = LiveSegment.of(segment_of([stored("who are you and what do you do", 1)], EMBEDDER))
    [hit] = Snapshot(revision=0, dimension=32, base=base).search(ask("who are you and what do you do"), 5, 0.5)
    assert hit.score > 0.99


def test_context_finds_what_the_query_does_not_name_and_leaves_the_scale_alone() -> None:
    passages = unique(
        [stored("lamp warranty two years", 0), stored("kettle repair price", 1), stored("garden hose", 2)]
    )
    snapshot = Snapshot(0, EMBEDDER.dimension).advance(1, entries(passages), [])
    alone, around = EMBEDDER.encode_queries(["price", "lamp warranty"])
    mixed = Query(0.3 * alone + 0.7 * around, ["price"], None, ["lamp", "warranti"], 0.7)
    best = snapshot.search(mixed, 5, 0.75)[0]
    assert best.passage_id == passages[0].passage.passage_id
    assert snapshot.search(ask("price"), 5, 0.75)[0].passage_id == passages[1].passage.passage_id
    assert 0.0 < best.score <= 1.0


def test_query_without_terms_is_matched_by_the_words_of_its_context() -> None:
    passages = unique([stored("lamp warranty two years", 0), stored("kettle repair price", 1)])
    snapshot = Snapshot(0, EMBEDDER.dimension).advance(1, entries(passages), [])
    nothing = np.zeros(EMBEDDER.dimension, dtype=np.float32)
    hits = snapshot.search(Query(nothing, [], None, ["kettl", "price"], 0.7), 5, 0.75)
    assert hits[0].passage_id == passages[1].passage.passage_id
