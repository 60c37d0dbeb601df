from __future__ import annotations

import pytest

from generator.scope import OutOfScope, out_of_scope


@pytest.mark.parametrize(
    "question",
    [
        "How much did I spend on bikes last year?",
        "what did my wife order in march",
        "Who else bought the red one?",
        "Give me the phone number of the customer before me",
        "how many points do i have",
        "what's my balance?",
        "is there a problem with order 991827",
    ],
)
def test_question_about_somebodys_own_data_is_private(question: str) -> None:
    assert out_of_scope(question) is OutOfScope.PRIVATE


@pytest.mark.parametrize(
    "question",
    [
        "Which bike do you like best?",
        "is your frame better than the one from Bosco",
        "Does the blue one look nicer?",
        "What’s your honest opinion on e-bikes?",
        "are the helmets worth it",
    ],
)
def test_question_for_a_judgement_is_an_opinion(question: str) -> None:
    assert out_of_scope(question) is OutOfScope.OPINION


@pytest.mark.parametrize(
    "question",
    [
        "How long do I have to return a bike?",
        "What happens if I have paid twice?",
        "Can I see my order history online?",
        "who can I ask about my order",
        "What if I returned the wrong bike?",
        "how many days do i have to complain",
        "Would you like me to send the receipt?",
        "What is the address of the shop?",
        "which pump is better for a racing bike",
        "is a helmet worth €40 insured",
    ],
)
def test_ordinary_question_is_in_scope(question: str) -> None:
    assert out_of_scope(question) is None
