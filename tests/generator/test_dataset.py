"""Grounded examples: what is shown, what is answered, and what must never leak."""

from __future__ import annotations

import random

import pytest

from generator.dataset import ExampleBuilder, Seed, SeedPassage, is_held_out, is_validation

REFUSED = " [0]"


def _seeds(n_documents: int = 60, source: str = "shop") -> list[Seed]:
    found = []
    for i in range(n_documents):
        sentences = (
            f"Lamp {i} has a cable of {i + 2} metres.",
            f"Lamp {i} takes a bulb of {i + 10} watts.",
            f"You can return lamp {i} within {i + 5} days of delivery.",
            f"The shade of lamp {i} is washed by hand.",
        )
        passage = SeedPassage(f"document {i}", f"Lamp {i}", sentences)
        found.append(Seed(source, f"How long is the cable of lamp {i}?", passage, (0,)))
        found.append(Seed(source, f"When can I return lamp {i}?", passage, (2,)))
    return found


def test_answer_is_the_gold_sentence_under_the_number_where_it_is_shown() -> None:
    seeds = _seeds()
    builder = ExampleBuilder(seeds, refusal_share=0.0)
    for seed in seeds:
        example = builder.build(seed, random.Random(3))
        (told,) = example.answer
        assert told.text == seed.passage.sentences[seed.answer[0]]
        assert told.text in example.evidence[told.marks[0] - 1].text


def test_left_out_gold_passage_makes_a_refusal_without_the_gold_sentence() -> None:
    seeds = [seed for seed in _seeds() if not is_validation(seed.passage.document)]
    builder = ExampleBuilder(seeds, refusal_share=1.0)
    for seed in seeds:
        example = builder.build(seed, random.Random(2))
        shown = " ".join(piece.text for piece in example.evidence)
        assert example.target() == REFUSED
        assert seed.passage.sentences[seed.answer[0]] not in shown


def test_gold_passage_is_not_left_out_where_the_search_brings_nothing_else() -> None:
    (seed,) = [seed for seed in _seeds() if seed.passage.document == "document 1" and seed.answer == (0,)]
    example = ExampleBuilder([seed], refusal_share=1.0).build(seed, random.Random(2))
    assert example.evidence
    assert example.target() != REFUSED


def test_unanswerable_question_still_shows_its_passage_and_is_refused() -> None:
    passage = SeedPassage("d", "Lamp", ("Lamps are sold in pairs.", "A lamp weighs two kilograms."))
    seed = Seed("s", "How much does a lamp weigh in space?", passage, ())
    example = ExampleBuilder([seed, *_seeds(source="s")], refusal_share=0.0).build(seed, random.Random(0))
    assert example.target() == REFUSED
    assert any("two kilograms" in piece.text for piece in example.evidence)


def test_distractors_come_from_the_same_side_of_the_split() -> None:
    seeds = _seeds(200)
    builder = ExampleBuilder(seeds)
    side_of = {s: is_validation(seed.passage.document) for seed in seeds for s in seed.passage.sentences}
    for seed in seeds:
        example = builder.build(seed, random.Random(5))
        shown = " ".join(piece.text for piece in example.evidence)
        sides = {side for sentence, side in side_of.items() if sentence in shown}
        assert sides <= {is_validation(seed.passage.document)}


def test_gold_is_usually_but_not_always_first() -> None:
    seeds = _seeds(200)
    builder, rng = ExampleBuilder(seeds, refusal_share=0.0), random.Random(0)
    marks = [builder.build(seed, rng).answer[0].marks[0] for seed in seeds]
    assert 0.6 < marks.count(1) / len(marks) < 0.8
    assert max(marks) >= 3


def test_distractors_are_what_a_search_would_bring() -> None:
    told = ("Lamps are sold in pairs.", "The heron lamp has a cord of linen.")
    alike = [
        SeedPassage(f"like {i}", "", ("A linen cord is washed by hand.", f"It is {i} metres long.")) for i in range(6)
    ]
    other = [
        SeedPassage(f"other {i}", "", (f"Parcel {i} leaves on Monday.", "Signatures are needed.")) for i in range(90)
    ]
    kept = [p for p in (*alike, *other) if not is_validation(p.document)]
    seed = Seed("s", "What is the linen cord of the heron lamp?", SeedPassage("document 3", "", told), (1,))
    assert not is_validation(seed.passage.document)
    builder = ExampleBuilder([seed, *(Seed("s", "?", p, (0,)) for p in kept)], refusal_share=0.0)
    shown = [builder.build(seed, random.Random(i)).evidence for i in range(10)]
    wrong = [piece.text for evidence in shown for piece in evidence if told[1] not in piece.text]
    assert any("linen" in text for text in wrong)
    assert not any("Parcel" in text for text in wrong)


def test_other_sentences_of_the_right_passage_are_shown_too() -> None:
    told = tuple(f"The cable of lamp {i} is {i} metres long and grey." for i in range(12))
    seed = Seed("s", "How long is the cable of lamp 4?", SeedPassage("document 3", "Cables", told), (4,))
    builder = ExampleBuilder([seed], refusal_share=0.0)
    assert any(len(builder.build(seed, random.Random(i)).evidence) > 1 for i in range(10))


def test_no_sentence_is_shown_twice() -> None:
    seeds = _seeds()
    builder, rng = ExampleBuilder(seeds), random.Random(0)
    for seed in seeds:
        shown = [piece.text for piece in builder.build(seed, rng).evidence]
        assert len(set(shown)) == len(shown)


def test_prompt_stays_short_and_has_one_to_four_snippets() -> None:
    seeds = _seeds()
    builder, rng = ExampleBuilder(seeds), random.Random(0)
    for seed in seeds:
        example = builder.build(seed, rng)
        assert 1 <= len(example.evidence) <= 4
        assert len(example.prompt().split()) < 300


def test_reply_replaces_the_copied_sentence_but_keeps_its_mark() -> None:
    passage = SeedPassage("inn", "Inn", ("Laundry services are available.",))
    seed = Seed("r", "Is there laundry?", passage, (0,), reply="Yes, they do laundry.")
    example = ExampleBuilder([seed], refusal_share=0.0).build(seed, random.Random(0))
    assert example.target() == " Yes, they do laundry. [1]"


def test_same_random_state_builds_the_same_example() -> None:
    seeds = _seeds()
    first, second = (ExampleBuilder(seeds).build(seeds[4], random.Random(9)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("split", "share"), [(is_held_out, 1 / 3), (is_validation, 1 / 20)])
def test_split_takes_about_its_share_and_never_changes(split: object, share: float) -> None:
    assert callable(split)
    chosen = [split(f"document {i}") for i in range(3000)]
    assert sum(chosen) / 3000 == pytest.approx(share, abs=0.03)
    assert chosen == [split(f"document {i}") for i in range(3000)]
