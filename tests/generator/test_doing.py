"""Who does what to whom: for each wording that is let through, the neighbouring falsehood that is not."""

from __future__ import annotations

import pytest

from generator.grounding import verify

# An invented swimming hall.
HALL = (
    "Children under 8 must be accompanied by an adult. Trainers recommend goggles. If a course is cancelled by us, you "
    "get the full fee. Only members can book the upper pool. You will receive your pass by post within 3 working days. "
    "Both passes can be returned at any time. If you lose your pass, call our desk and we will block it. Send the pass "
    "to the office. Season passes are not transferable. We never ask for your password. Cakes are delivered by us."
)
TRUE = [
    "An adult must accompany children under 8.",
    "Goggles are recommended by trainers.",
    "If we cancel a course, you get the full fee.",
    "The upper pool can only be booked by members.",
    "We send you your pass by mail within 3 working days.",
    "You can return both passes at any time.",
    "Season passes can't be transferred.",
    "Your password is never asked for.",
    "We deliver the cakes.",
]
FALSE = [
    "Children under 8 must accompany an adult.",
    "Trainers are recommended by goggles.",
    "If you cancel a course, you get the full fee.",
    "Members can only book the upper pool.",
    "We receive your pass by post within 3 working days.",
    "You send us your pass by post within 3 working days.",
    "We can return both passes at any time.",
    "If you lose your pass, we will call you and block it.",
    "Send the office to the pass.",
    "Season passes can be transferred.",
    "Never ask for our password.",
    "Cakes are delivered by you.",
]


@pytest.mark.parametrize("sentence", TRUE)
def test_same_deed_in_another_form_is_accepted(sentence: str) -> None:
    assert verify(sentence, HALL).supported


@pytest.mark.parametrize("sentence", FALSE)
def test_deed_of_another_is_refused(sentence: str) -> None:
    assert not verify(sentence, HALL).supported


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        ("The plan includes the tool.", "The tool includes the plan."),
        ("The admin can add a user to the group.", "A user can add the admin to the group."),
        ("The courier hands the parcel to a neighbour.", "The courier hands a neighbour to the parcel."),
        ("The parser reads the file from the cache.", "The parser reads the cache from the file."),
        ("BYOB is not available at the Otter.", "The Otter is not available here."),
    ],
)
def test_things_that_change_places_are_refused(evidence: str, sentence: str) -> None:
    assert not verify(sentence, evidence).supported


def test_parking_is_available_as_much_as_it_is_offered() -> None:
    assert verify("The Otter House offers free parking.", "Parking is free at the Otter House.").supported
