"""What a wording may leave out, and the limit beside it that it may not."""

from __future__ import annotations

import pytest

from generator.grounding import verify

# An invented tool hire.
HIRE = (
    "Dogs are welcome on a leash. A drill costs €12 a day. Damage caused by misuse is charged to the customer. We do "
    "not sell used tools. The shop at the station opens on Sundays. The plan costs $9 per user. Vouchers are valid for "
    "three years and can be used online. We ship plants on Mondays so that they do not wait in a depot. We do not "
    "refund tickets because of the weather. Our workshop (see page 3) repairs bikes. Note: Bring your card."
)
TRUE = [
    "Vouchers can be used online.",
    "We ship plants on Mondays.",
    "Our workshop repairs bikes.",
    "Bring your card.",
    "Drills are €12 a day.",
]
FALSE = [
    "Dogs are welcome.",
    "A drill costs €12.",
    "Damage is charged to the customer.",
    "We do not sell tools.",
    "The shop opens on Sundays.",
    "The plan costs $9.",
    "We do not refund tickets.",
]


@pytest.mark.parametrize("sentence", TRUE)
def test_what_narrows_nothing_may_be_left_out(sentence: str) -> None:
    assert verify(sentence, HIRE).supported


@pytest.mark.parametrize("sentence", FALSE)
def test_limit_may_not_be_left_out(sentence: str) -> None:
    assert not verify(sentence, HIRE).supported
