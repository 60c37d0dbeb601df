from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from domain.documents import Passage, ScoredPassage, StoredPassage
from domain.protocols import SearchContext, SearchResult
from domain.text import Span, count_words
from generator.confidence import WordVectors, assess, word_covers
from generator.evidence import EvidenceFound, ScoredSentence, choose_snippets, heading_of, score_sentences
from generator.refusal import RefusalModel
from generator.search_plan import PlannedSearch
from generator.settings import GeneratorSettings
from tests.fakes import HashEmbedder, MarkedReader

EMBEDDER = HashEmbedder(2048)
REFUSAL = RefusalModel(-1.0, {"top_cosines": 1.0, "least_cover": 1.0})
WARRANTY = (
    "The frame has a warranty of ten years. It covers cracks and rust. Tyres wear out and are not covered. "
    "Send us photographs of the damage. Include the serial number in the letter. We answer within a week."
)
HOURS = {
    "Monday": "closed",
    "Tuesday to Friday": "10:00 to 18:00",
    "Saturday": "10:00 to 17:00",
    "Sunday": "closed",
}
PRICES = "Level: House; Discount: 20%\n\nLevel: Studio; Discount: 15%\n\nThe bike weighs 14 kg."


def _hit(text: str, score: float = 0.5, *, question: str | None = None, start: int = 0) -> ScoredPassage:
    passage = Passage(
        f"p{hash(text) % 997}", "d", 1, 0, start, start + len(text), text, ("Rules", "Warranty"), question
    )
    return ScoredPassage(StoredPassage(passage, "c", "rules.md", "Rules"), score, score, None)


def _found(question: str, *hits: ScoredPassage) -> EvidenceFound:
    result = SearchResult(hits, None, EMBEDDER.encode_queries([question])[0])
    return score_sentences(PlannedSearch(question, question), result, EMBEDDER)


def _score(question: str, *hits: ScoredPassage) -> tuple[ScoredSentence, ...]:
    return _found(question, *hits).sentences


def test_sentence_that_answers_stands_first_and_keeps_its_place() -> None:
    best = _score("are tyres covered when they wear out", _hit(WARRANTY))[0]
    assert best.text == "Tyres wear out and are not covered."
    assert best.span.of(WARRANTY) == best.text


def test_snippets_are_short_adjacent_and_never_overlap() -> None:
    hits = [_hit(WARRANTY), _hit(PRICES), _hit("The frame is blue. The frame is steel. The frame is light.")]
    snippets = choose_snippets(_score("does the warranty of the frame cover rust", *hits), max_words=60)
    assert 1 <= len(snippets) <= 4
    assert sum(count_words(snippet.text) for snippet in snippets) <= 60
    seen: set[tuple[str, int]] = set()
    for snippet in snippets:
        assert 1 <= len(snippet.sentences) <= 3
        indices = [sentence.index for sentence in snippet.sentences]
        assert indices == list(range(indices[0], indices[0] + len(indices)))
        places = {(snippet.hit.passage.passage_id, index) for index in indices}
        assert not places & seen
        seen |= places
        assert snippet.text == snippet.span.of(snippet.hit.passage.text)


def test_sentence_that_leans_on_the_one_before_brings_it_along() -> None:
    snippets = choose_snippets(_score("does it cover cracks and rust", _hit(WARRANTY)), max_words=150)
    assert snippets[0].text.startswith("The frame has a warranty of ten years. It covers cracks and rust.")


def _scored(text: str, log_odds: Sequence[float]) -> list[ScoredSentence]:
    """Sentences that stand on lines of their own, best first."""
    hit = _hit(text)
    lines = text.splitlines()
    spans = [Span(text.index(line), text.index(line) + len(line)) for line in lines]
    scored = [
        ScoredSentence(hit, n, span, line, odds)
        for n, (span, line, odds) in enumerate(zip(spans, lines, log_odds, strict=True))
    ]
    return sorted(scored, key=lambda sentence: -sentence.log_odds)


def test_rows_of_a_table_that_are_as_likely_are_shown_together() -> None:
    week = "".join(f"Day: {day}; Hours: {hours}.\n" for day, hours in HOURS.items())
    text = f"We look forward to you.\n{week}Dogs are welcome."
    odds = (-4.0, 1.7, 2.2, 2.8, 1.9, -3.0)
    assert choose_snippets(_scored(text, odds), max_words=150)[0].text == week.strip()
    longer = "\n".join(f"Day: {n}; Hours: {n}." for n in range(12))
    shown = choose_snippets(_scored(longer, [2.0] * 12), max_words=150)[0].sentences
    assert len(shown) == 7 == GeneratorSettings().max_sentences  # all that are shown are said


def test_of_two_neighbours_the_likelier_comes_along() -> None:
    text = "One.\nTwo.\nThree.\nFour."
    snippet = choose_snippets(_scored(text, (1.2, 1.9, 2.0, 1.3)), max_words=150)[0]
    assert snippet.text == "Two.\nThree.\nFour."
    snippet = choose_snippets(_scored(text, (1.9, 2.0, 1.2, 1.0)), max_words=150)[0]
    assert snippet.text == "One.\nTwo.\nThree."


def test_a_table_is_followed_by_one_other_sentence_at_most() -> None:
    rows = "\n".join(f"Day: {n}; Hours: {n}." for n in range(5))
    found = choose_snippets(_scored(f"{rows}\nHolidays differ.\nAsk us.", [2.0] * 5 + [1.9] * 2), max_words=150)
    assert found[0].text == f"{rows}\nHolidays differ."


def test_sentence_beside_a_table_does_not_make_the_snippet_longer_than_others() -> None:
    text = "The museum is small.\nDay: Monday; Hours: closed.\nDay: Sunday; Hours: closed.\nDay: Friday; Hours: open."
    assert len(choose_snippets(_scored(text, (2.0, 1.9, 1.9, 1.9)), max_words=150)[0].sentences) == 3


def test_follow_up_is_judged_half_by_its_own_words() -> None:
    """What the conversation was about finds the passage; in it, the question asks for another sentence."""
    text = "Tyres of rental bikes are checked daily. A helmet costs four euros."
    context = SearchContext("are tyres of rental bikes checked daily and a helmet", 0.7)
    own, around = EMBEDDER.encode_queries(["and a helmet", context.text])
    planned = PlannedSearch("and a helmet", context.text, context)
    alone = SearchResult((_hit(text),), None, around)
    assert score_sentences(PlannedSearch(context.text, context.text), alone, EMBEDDER).sentences[0].index == 0
    both = SearchResult((_hit(text),), None, 0.3 * own + 0.7 * around, own)
    assert score_sentences(planned, both, EMBEDDER).sentences[0].index == 1


def test_entry_whose_question_asks_nearly_the_same_outranks_a_sentence_with_more_of_the_words() -> None:
    text = "Five weeks."
    entry = _hit(text, question="How long is a fix?")
    wordy = _hit("Some say that a repair does take more patience than a bicycle deserves.")
    question = "How long does a repair take?"

    def best(similarity: float) -> str:
        return _score(question, wordy, replace(entry, question_score=similarity))[0].text

    assert best(0.4) == wordy.passage.text
    assert best(0.95) == text


def test_what_was_said_in_the_last_answer_stands_behind_its_equals() -> None:
    text = "Tyres cost ten euros each. Tyres cost two euros used."
    question = "and tyres cost"

    def first(told: str) -> str:
        result = SearchResult((_hit(text),), None, EMBEDDER.encode_queries([question])[0])
        return score_sentences(PlannedSearch(question, question, None, told), result, EMBEDDER).sentences[0].text

    said = first("")
    assert first(f"Hello! {said.upper()} [1] Bye.") != said
    assert first("Tyres cost a lot.") == said


def test_question_of_its_own_that_the_last_answer_seems_to_answer_is_read_without_it() -> None:
    told, before = "The frame has a warranty of ten years.", "how long is the warranty The frame has a warranty"

    def contexts(question: str, mark: str) -> list[str]:
        reader = MarkedReader(mark)
        result = SearchResult((_hit(WARRANTY),), None, EMBEDDER.encode_queries([question])[0])
        score_sentences(PlannedSearch(question, question, None, told, before), result, EMBEDDER, reader)
        return [context for _, context in reader.asked]

    assert contexts("do you sell carpets", "warranty") == [before, ""]
    assert contexts("do you sell carpets", "photographs") == [before]
    assert contexts("and for how long", "warranty") == [before]


def test_bare_yes_is_not_chosen_for_itself() -> None:
    hit = _hit("Yes. Children ride free in a trailer.", question="Do children ride free?")
    snippet = choose_snippets(_score("Do children ride free?", hit), max_words=150)[0]
    assert [sentence.text for sentence in snippet.to_say] == ["Children ride free in a trailer."]


def test_long_sentence_is_shown_even_if_it_exceeds_the_budget_alone() -> None:
    long = "The warranty " + "really " * 200 + "holds."
    assert len(choose_snippets(_score("warranty", _hit(long)), max_words=50)) == 1


def test_kind_of_answer_lifts_the_sentence_that_holds_it() -> None:
    assert _score("how heavy is it", _hit(PRICES))[0].text == "The bike weighs 14 kg."


def test_no_passages_give_no_sentences() -> None:
    assert _score("anything") == ()
    assert choose_snippets([], 150) == []


def test_heading_is_the_faq_question_or_the_path_with_the_title_once() -> None:
    assert heading_of(_hit("x", question="Why?")) == "Why?"
    assert heading_of(_hit("x")) == "Rules > Warranty"


def test_word_is_covered_by_inflection_slip_and_compound_but_not_by_nothing() -> None:
    hits = [_hit("We repair electric bicycles in our workshop.")]
    covers = word_covers("repairing electirc bicycle workshops submarine", hits, WordVectors(EMBEDDER))
    assert covers["repairing"] == covers["bicycle"] == covers["workshops"] == 1.0
    assert 0.5 < covers["electirc"] < 1.0
    assert covers["submarine"] < 0.5


def test_two_letters_of_a_short_word_may_have_changed_places() -> None:
    covers = word_covers("lmap limp", [_hit("The lamp is green.")], WordVectors(EMBEDDER))
    assert covers["lmap"] > 0.5 > covers["limp"]


def test_codes_are_there_or_not_and_own_figures_do_not_count() -> None:
    hits = [_hit("The lamp W21 has 3 years of warranty.")]
    covers = word_covers("warranty of W22 bought for 400", hits, WordVectors(EMBEDDER))
    assert covers["W22"] == 0.0
    assert "400" not in covers


def test_confidence_is_higher_for_what_the_passages_talk_about() -> None:
    hits = [_hit(WARRANTY), _hit(PRICES)]
    vectors = WordVectors(EMBEDDER)

    def confidence(question: str) -> float:
        return assess(question, hits, _found(question, *hits), vectors, REFUSAL).value

    about, beside = confidence("does the warranty cover rust"), confidence("who sings operas on Jupiter tonight")
    assert 0.0 < beside < about < 1.0
    assert assess("anything at all", [], EvidenceFound(), vectors, REFUSAL).value < beside + 0.05


def test_question_for_a_weight_is_doubted_when_no_weight_is_given() -> None:
    with_weight, without = [_hit(PRICES)], [_hit(WARRANTY)]
    vectors = WordVectors(EMBEDDER)
    question = "how heavy is it"
    for hits, holds in ((with_weight, 0), (without, -1)):
        confidence = assess(question, hits, _found(question, *hits), vectors, REFUSAL)
        assert confidence.features.holds_answer_type == holds


def test_word_vectors_are_remembered() -> None:
    class Counting(HashEmbedder):
        encoded = 0

        def encode_documents(self, texts):  # type: ignore[no-untyped-def]  # as the parent
            self.encoded += len(texts)
            return super().encode_documents(texts)

    embedder = Counting(64)
    vectors = WordVectors(embedder)
    first = vectors.encode(["bike", "lamp", "bike"])
    assert first.shape == (3, 64)
    assert np.array_equal(first, vectors.encode(["bike", "lamp", "bike"]))
    assert embedder.encoded == 2
