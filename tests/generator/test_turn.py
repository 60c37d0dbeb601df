from __future__ import annotations

from domain.documents import Passage, ScoredPassage, StoredPassage
from generator.turn import Turn


def _entry(question: str | None, text: str) -> ScoredPassage:
    passage = Passage("p-1", "faq", 1, 0, 0, len(text), text, (), question)
    return ScoredPassage(StoredPassage(passage, "shop", "faq.md", "Faq"), 1.0, 1.0, None)


def test_question_of_a_faq_entry_says_what_its_answer_is_about() -> None:
    turn = Turn("wifi on the ferry")
    assert list(turn.emit("Wifi is free on the ferry.", [_entry("Is there wifi on the ferry?", "Wifi is free.")]))
    assert turn.citations[0].quote == "Wifi is free."


def test_without_that_question_the_same_sentence_is_not_said() -> None:
    turn = Turn("wifi on the ferry")
    assert not list(turn.emit("Wifi is free on the ferry.", [_entry(None, "Wifi is free.")]))


def test_question_proves_nothing_itself() -> None:
    turn = Turn("wifi on the ferry")
    assert not list(turn.emit("There is wifi on the ferry.", [_entry("Is there wifi on the ferry?", "No, sorry.")]))
