from __future__ import annotations

import pytest

from generator.grounding import verify
from generator.support import best_support
from generator.support_model import HARD, shipped_model

# An invented library.
LOANS = (
    "You may borrow up to twelve books for four weeks. If a book is reserved, it cannot be renewed. "
    "Films cost €2 a week in Harlow and €3 in Bray. Members under 16 need the consent of a parent. "
    "We never charge children for late books. "
    "Return the book before 18:00 or put it in the box. It must not hold magazines."
)


def _differences(sentence: str) -> set[str]:
    found = best_support(sentence, LOANS, shipped_model().weigh)
    return set() if found is None else {name for name, n in found.differences.items() if n and name in HARD}


@pytest.mark.parametrize(
    ("sentence", "difference"),
    [
        ("You may borrow up to ten books for four weeks.", "number"),
        ("You may borrow up to twelve books for four months.", "number"),
        ("You may borrow at least twelve books for four weeks.", "bound"),
        ("You must borrow up to twelve books for four weeks.", "modal"),
        ("You may not borrow up to twelve books for four weeks.", "negation"),
        ("You may borrow up to twelve books.", "fact left out"),
        ("It cannot be renewed.", "restriction"),
        ("Members under 16 need the consent of a parent unless a book is late.", "condition"),
        ("Films cost €3 a week in Harlow.", "role"),
        ("Films cost €2 a week in Dover.", "name"),
        ("Members over 16 need the consent of a parent.", "bound"),
        ("All members under 16 need the consent of a parent.", "quantifier"),
        ("Return the book after 18:00 or put it in the box.", "time"),
        ("Return the book before 18:00 and put it in the box.", "joint"),
        ("May you borrow up to twelve books for four weeks?", "question"),
        ("We never charge children for late films.", "new"),
    ],
)
def test_difference_is_found_by_its_kind(sentence: str, difference: str) -> None:
    assert difference in _differences(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Up to twelve books can be borrowed for four weeks.",
        "A book cannot be renewed if it is reserved.",
        "Films cost €2 a week in Harlow.",
        "The consent of a parent is required for members under 16.",
        "Children are never charged for late books.",
    ],
)
def test_faithful_wording_has_no_hard_difference(sentence: str) -> None:
    assert not _differences(sentence)


def test_claims_of_adjacent_sentences_may_be_joined_and_span_both() -> None:
    sentence = "You may borrow up to twelve books for four weeks, but it cannot be renewed if a book is reserved."
    found = best_support(sentence, LOANS, shipped_model().weigh)
    assert found is not None
    assert found.span.of(LOANS).startswith("You may borrow")


def test_passage_without_a_word_in_common_supports_nothing() -> None:
    assert best_support("Parking is free.", LOANS, shipped_model().weigh) is None


def test_any_hard_difference_is_a_refusal_whatever_the_weights_say() -> None:
    model = shipped_model()
    assert model.accepts({})
    assert not any(model.accepts({name: 1}) for name in HARD)


@pytest.mark.parametrize(
    ("heading", "evidence", "sentence", "expected"),
    [
        ("Is there wifi in the rooms?", "Wifi is free.", "Wifi is free in the rooms.", True),
        ("The Otter pass", "It costs €9.", "The Otter pass costs €9.", True),
        ("Is there wifi in the rooms?", "Wifi is free in the lobby.", "Wifi is free in the rooms.", False),
        ("Is there wifi in room 12?", "Wifi is free.", "Wifi is free in room 12.", False),
        ("What if I forget my password?", "We will block it.", "If you forget your password, we will block it.", False),
        ("Can I return opened lamps?", "Lamps can be returned.", "Opened lamps can be returned within a day.", False),
        ("Is it open on Sundays?", "The pool is open.", "The pool is open on Sundays.", False),
    ],
)
def test_heading_says_what_is_spoken_of_and_proves_nothing(
    heading: str, evidence: str, sentence: str, expected: bool
) -> None:
    assert verify(sentence, evidence, heading).supported is expected


@pytest.mark.parametrize(
    ("evidence", "sentence", "expected"),
    [
        ("If a book is reserved, it cannot be renewed.", "If a book cannot be renewed, it is reserved.", False),
        ("We do not deliver to islands.", "We cannot deliver to islands.", True),
        ("It will not happen.", "It may not happen.", False),
        ("There is no activation fee.", "You do not pay for activation.", True),
        ("There is no activation fee.", "There is no fee.", False),
        ("Delivery is free for orders over €50.", "Delivery is free if your order is over €50.", True),
        ("To make a claim, send a photo.", "Send a photo.", False),
        ("To make a claim, send a photo.", "If you want to make a claim, send a photo.", True),
        ("Only one code can be used per order.", "Codes can only be used by one order.", False),
        ("Lamps, chairs and tables are free.", "Chairs are free.", True),
        ("Lamps are blue and tables are free.", "Lamps are free.", False),
        ("The Otter plan has 40 GB and costs €25.", "The Otter plan costs €25 and has 40 GB.", True),
        ("Our hotline is available around the clock.", "Our hotline is available 24 hours a day.", True),
        ("Cancel within 24 hours.", "Cancel at any time, 24 hours a day.", False),
        ("The basic plan has no limit.", "The plan has no limit.", False),
        ("The price includes soil.", "The price is plus soil.", False),
        ("The deposit is non-refundable.", "The deposit is refundable.", False),
        ("The customer pays for the shipping.", "The customer has to pay for the shipping.", True),
        ("We accept payment by card.", "You must pay by card.", False),
        ("Parking is free without a reservation.", "Parking is free, no reservation needed.", True),
        ("Choose up to 7 days before.", "Choose until 7 days before.", True),
        ("It weighs 5 kg.", "It weighs 5kg.", True),
        ("Lamps if if not be.", "Lamps if if be.", False),
    ],
)
def test_rule_and_its_neighbour(evidence: str, sentence: str, expected: bool) -> None:
    assert verify(sentence, evidence).supported is expected
