from __future__ import annotations

import random

import pytest

from generator.train.corruptions import FITTED, HELD_OUT, corruptions

PASSAGE = (
    "If the kettle is cold, you must wait 10 minutes. The pump from Ostrava was sold to Lisbon in 2014. "
    "At least 3 litres may flow before noon on Monday. All valves are open."
)


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        ("number", "If the kettle is cold, you must wait 10 minutes."),
        ("unit", "If the kettle is cold, you must wait 10 minutes."),
        ("negation", "If the kettle is cold, you must wait 10 minutes."),
        ("modality", "If the kettle is cold, you must wait 10 minutes."),
        ("swapped condition", "If the kettle is cold, you must wait 10 minutes."),
        ("dropped condition", "Clean the filter if it is dark."),
        ("name", "The pump from Ostrava was sold to Lisbon in 2014."),
        ("date", "The pump from Ostrava was sold to Lisbon in 2014."),
        ("swapped roles", "The pump from Ostrava was sold to Lisbon in 2014."),
        ("comparative", "At least 3 litres may flow before noon on Monday.".replace("At", "at")),
        ("direction", "At least 3 litres may flow before noon on Monday."),
        ("quantifier", "We know that all valves are open."),
        ("antonym", "All valves are open."),
        ("question", "All valves are open."),
    ],
)
def test_family_changes_the_sentence_and_never_into_what_the_passage_says(family: str, sentence: str) -> None:
    for seed in range(20):
        made = dict(corruptions(sentence, PASSAGE, random.Random(seed), {**FITTED, **HELD_OUT}))
        assert made[family] != sentence
        assert made[family].rstrip(".").lower() not in PASSAGE.lower()


def test_sentence_without_a_hold_is_left_alone() -> None:
    assert not [f for f, _ in corruptions("Hello there", PASSAGE, random.Random(0), FITTED)]


def test_held_out_families_are_not_among_the_fitted() -> None:
    assert not FITTED.keys() & HELD_OUT.keys()
