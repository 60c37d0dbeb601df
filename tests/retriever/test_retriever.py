from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from domain.errors import QuestionInvalid
from retriever.settings import RetrieverSettings
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import Entry, KnowledgeBase, flip_bit

RETURNS = "You can return an item within thirty days of delivery."
SHIPPING = "We ship parcels to Norway and Sweden every weekday."
LAMPS = "Every lamp has a warranty of five years."


@pytest.fixture
def filled(kb: KnowledgeBase) -> KnowledgeBase:
    kb.add("returns.md", RETURNS)
    kb.add("shipping.md", SHIPPING)
    kb.add("warranty.md", LAMPS)
    return kb


def test_empty_knowledge_base_finds_nothing_and_raises_nothing(kb: KnowledgeBase) -> None:
    result = kb.retriever.search("How do I return a lamp?", 5)
    assert result.passages == ()
    assert result.generation is None
    assert result.query_vector.shape == (kb.embedder.dimension,)
    assert not kb.retriever.needs_reindex()


def test_empty_generation_of_an_empty_knowledge_base_can_be_searched(kb: KnowledgeBase) -> None:
    report = kb.reindexer.run()
    assert report.passages == 0
    assert kb.texts("lamp") == []
    kb.add("warranty.md", LAMPS)
    assert kb.texts("lamp") == [LAMPS]


@pytest.mark.parametrize("query", ["", "   \n\t", "\x00", "\x00 \x00", "x" * 4001])
def test_empty_or_too_long_query_is_refused(filled: KnowledgeBase, query: str) -> None:
    with pytest.raises(QuestionInvalid):
        filled.retriever.search(query, 5)


@pytest.mark.parametrize(
    "query", ["warranty \ud800 lamp", "warranty\x00 lamp", "lamp " * 800, "x" * 4000, "🙂", "请问保修"]
)
def test_odd_query_is_searched_without_a_crash(filled: KnowledgeBase, query: str) -> None:
    for hit in filled.retriever.search(query, 5).passages:
        assert 0.0 <= hit.score <= 1.0


def test_first_documents_are_found_without_any_generation(filled: KnowledgeBase) -> None:
    result = filled.retriever.search("within how many days can I return an item", 5)
    assert result.passages[0].passage.text == RETURNS
    assert result.generation is None
    assert filled.retriever.needs_reindex()


def test_hits_are_the_same_from_the_delta_and_from_a_generation(filled: KnowledgeBase) -> None:
    before = filled.retriever.search("warranty of a lamp", 3)
    report = filled.reindexer.run()
    filled.retriever.load()
    after = filled.retriever.search("warranty of a lamp", 3)
    assert after.generation == report.generation_id
    assert [hit.passage for hit in after.passages] == [hit.passage for hit in before.passages]
    np.testing.assert_allclose([h.score for h in after.passages], [h.score for h in before.passages], atol=1e-3)
    assert not filled.retriever.needs_reindex()


def test_document_added_after_a_generation_is_found_by_the_next_search(filled: KnowledgeBase) -> None:
    filled.reindexer.run()
    filled.texts("anything")
    text = "Gift cards expire after two years."
    filled.add("gifts.md", text)
    assert filled.texts("when do gift cards expire")[0] == text
    assert filled.retriever.info()["delta"] == 1


def test_deleted_document_is_not_returned_from_an_old_generation(filled: KnowledgeBase) -> None:
    gone = filled.documents.get_by_source("shop", "warranty.md")
    assert gone is not None
    filled.reindexer.run()
    assert filled.texts("warranty of a lamp")[0] == LAMPS
    filled.documents.delete(gone.document_id)
    assert LAMPS not in filled.texts("warranty of a lamp", 50)
    assert LAMPS not in [h.passage.text for h in filled.new_retriever().search("warranty of a lamp", 50).passages]


def test_deleted_document_is_not_returned_from_the_delta(filled: KnowledgeBase) -> None:
    assert filled.texts("warranty of a lamp")[0] == LAMPS
    gone = filled.documents.get_by_source("shop", "warranty.md")
    assert gone is not None
    filled.documents.delete(gone.document_id)
    assert LAMPS not in filled.texts("warranty of a lamp", 50)


def test_replaced_version_answers_with_its_new_passages_only(filled: KnowledgeBase) -> None:
    filled.reindexer.run()
    newer = "You can return an item within sixty days of delivery."
    filled.add("returns.md", newer)
    found = filled.texts("return an item within days of delivery", 50)
    assert newer in found
    assert RETURNS not in found


def test_passage_under_a_new_heading_is_found_by_it_and_not_twice(filled: KnowledgeBase) -> None:
    filled.reindexer.run()
    filled.add("warranty.md", LAMPS, heading="Guarantee")
    hits = filled.retriever.search("guarantee", 50).passages
    assert hits[0].passage.heading == "Guarantee"
    assert [hit.passage.text for hit in hits].count(LAMPS) == 1
    assert hits[0].lexical_score is not None


def test_top_k_stays_full_after_most_of_a_generation_was_deleted(kb: KnowledgeBase) -> None:
    doomed = [kb.add(f"old{n}.md", f"The lamp warranty number {n} lasts long.") for n in range(60)]
    for n in range(5):
        kb.add(f"new{n}.md", f"Something about a garden hose and kind {n}, perhaps a lamp.")
    kb.reindexer.run()
    kb.retriever.load()
    for document in doomed:
        kb.documents.delete(document.document_id)
    hits = kb.retriever.search("lamp warranty number", 5).passages
    assert len(hits) == 5
    assert all(hit.passage.text.startswith("Something") for hit in hits)


def test_collection_filter_keeps_top_k_full_and_never_leaks(kb: KnowledgeBase) -> None:
    for n in range(30):
        kb.add(f"a{n}.md", f"Lamp warranty rule {n}.", collection="alpha")
    for n in range(4):
        kb.add(f"b{n}.md", f"Some rule about hoses {n}.", collection="beta")
    for _ in range(2):  # from the delta, then from a generation
        hits = kb.retriever.search("lamp warranty rule", 4, "beta").passages
        assert len(hits) == 4
        assert {hit.stored.collection for hit in hits} == {"beta"}
        assert kb.retriever.search("lamp", 4, "gamma").passages == ()
        kb.reindexer.run()


def test_question_of_a_faq_entry_is_matched_by_itself(kb: KnowledgeBase) -> None:
    answer = "Twenty-eight days from the day it arrives, unused and in its box."
    kb.add(
        "faq.csv", Entry(answer, "How long may I keep it before returning?"), Entry("By post.", "How do parcels come?")
    )
    kb.add("other.md", "How long is a piece of string before it breaks?")
    for _ in range(2):
        hit = kb.retriever.search("how long may i keep it before returning", 3).passages[0]
        assert hit.passage.text == answer
        assert hit.question_score == pytest.approx(1.0, abs=1e-3)
        assert hit.dense_score is not None
        assert hit.dense_score < 0.9
        plain = [h for h in kb.retriever.search("piece of string", 3).passages if h.passage.question is None]
        assert plain[0].question_score is None
        kb.reindexer.run()


def test_score_falls_with_the_rank_and_is_low_for_what_is_not_there(filled: KnowledgeBase) -> None:
    filled.reindexer.run()
    hits = filled.retriever.search("warranty of a lamp", 3).passages
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    stranger = filled.retriever.search("quantum chromodynamics lecture", 3).passages
    assert all(hit.score < scores[0] / 2 for hit in stranger)


def test_mistyped_word_finds_its_passage(filled: KnowledgeBase) -> None:
    hit = filled.retriever.search("waranty", 1).passages[0]
    assert hit.passage.text == LAMPS
    assert hit.lexical_score is not None
    assert hit.score < filled.retriever.search("warranty", 1).passages[0].score
    assert filled.retriever.search(" Waranty\n", 1).asked == "Waranty"  # this embedder has no lexicon to correct by


def test_flipped_bit_in_any_file_is_not_served_and_the_previous_generation_answers(filled: KnowledgeBase) -> None:
    first = filled.reindexer.run()
    filled.add("gifts.md", "Gift cards expire after two years.")
    second = filled.reindexer.run()
    for path in filled.generation_files(second.generation_id):
        intact = path.read_bytes()
        flip_bit(path)
        retriever = filled.new_retriever()
        result = retriever.search("when do gift cards expire", 5)
        assert result.generation == first.generation_id, path.name
        assert result.passages[0].passage.text == "Gift cards expire after two years."
        assert path.name in str(retriever.info()["degraded"])
        assert retriever.needs_reindex()
        path.write_bytes(intact)
    healthy = filled.new_retriever()
    healthy.load()
    assert healthy.info()["degraded"] is None


def test_without_an_intact_generation_everything_is_searched_from_the_database(filled: KnowledgeBase) -> None:
    filled.reindexer.run()
    generation_id = filled.reindexer.run().generation_id
    for record in filled.generations.list_generations():
        filled.delete_folder(record.generation_id)
    result = filled.retriever.search("warranty of a lamp", 5)
    assert result.generation is None
    assert result.passages[0].passage.text == LAMPS
    assert generation_id in str(filled.retriever.info()["degraded"])
    filled.reindexer.run()
    filled.retriever.load()
    assert filled.retriever.search("warranty of a lamp", 5).generation is not None
    assert filled.retriever.info()["degraded"] is None


@pytest.mark.parametrize("dimension", [16, 24])
def test_generation_of_another_embedder_is_refused_and_words_still_find(filled: KnowledgeBase, dimension: int) -> None:
    filled.reindexer.run()
    for n in range(80):  # more than a search may embed by itself
        filled.add(f"more{n}.md", f"Filler number {n}.")
    stranger = filled.new_retriever(HashEmbedder(dimension))
    result = stranger.search("warranty of a lamp", 5)
    assert result.generation is None
    assert result.query_vector.shape == (dimension,)
    assert result.passages[0].passage.text == LAMPS
    assert f"hash-{dimension}" in str(stranger.info()["degraded"])
    assert stranger.needs_reindex()
    filled.new_reindexer(HashEmbedder(dimension)).run()
    stranger.load()
    assert stranger.search("warranty of a lamp", 5).generation is not None
    assert not stranger.needs_reindex()


def test_large_delta_asks_for_a_reindex(filled: KnowledgeBase) -> None:
    filled.reindexer.run()
    retriever = filled.new_retriever(settings=RetrieverSettings(max_delta=2))
    filled.add("two.md", "First new passage.", "Second new passage.")
    assert not retriever.needs_reindex()
    filled.add("one.md", "Third new passage.")
    assert retriever.needs_reindex()


def test_delta_of_many_uploads_keeps_every_passage_findable(kb: KnowledgeBase) -> None:
    for n in range(40):
        kb.add(f"d{n}.md", f"Passage about topic{n} here.", f"Another remark on matter{n}.")
        kb.retriever.load()
    kb.add("d7.md", "Passage about topic7 rewritten.")
    for n in (0, 13, 39):
        assert kb.texts(f"matter{n}", 1) == [f"Another remark on matter{n}."]
    assert kb.texts("topic7", 1) == ["Passage about topic7 rewritten."]
    assert kb.retriever.info()["passages"] == 79


def test_each_of_many_searches_during_promotions_sees_one_generation(filled: KnowledgeBase) -> None:
    first = filled.reindexer.run()
    filled.documents.delete(filled.add("gone.md", "Lamp oil is not sold.").document_id)
    second = filled.reindexer.run()
    third = filled.reindexer.run()
    known = {first.generation_id, second.generation_id, third.generation_id}
    stop = threading.Event()

    def search() -> set[str | None]:
        seen: set[str | None] = set()
        while not stop.is_set():
            result = filled.retriever.search("warranty of a lamp", 3)
            assert result.passages[0].passage.text == LAMPS
            assert len({hit.passage.passage_id for hit in result.passages}) == 3
            seen.add(result.generation)
        return seen

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(4)]
        for _ in range(6):
            filled.reindexer.rollback()
            filled.retriever.load()
        stop.set()
        seen = set().union(*(future.result() for future in searches))
    assert seen <= known
    assert len(seen) > 1


def test_restored_older_database_is_noticed(filled: KnowledgeBase) -> None:
    from sqlalchemy import update

    from storage.tables import revisions

    filled.retriever.load()
    before = filled.documents.revision()
    with filled.engine.begin() as connection:
        connection.execute(update(revisions).values(value=before - 1))
    filled.retriever.load()
    assert filled.retriever.info()["revision"] == before - 1
    assert filled.texts("warranty of a lamp")[0] == LAMPS


def test_info_before_loading_touches_nothing(kb: KnowledgeBase) -> None:
    nothing = {"generation": None, "passages": 0, "delta": 0, "revision": 0, "degraded": None, "stale": None}
    assert kb.retriever.info() == nothing
