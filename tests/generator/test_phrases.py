from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.language import language_of
from generator.courtesy import Recognised, recognise
from generator.phrases import LANGUAGES, Courtesy, not_found, notice, phrase, spoken

PAGE = Path(__file__).resolve().parents[2] / "api" / "pages" / "phrases.js"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_is_there_in_its_own_language(language: str) -> None:
    said = [phrase(courtesy, language).text for courtesy in Courtesy]
    assert len(set(said)) == len(Courtesy)
    assert language_of(" ".join(said)) == language
    assert not any(re.search(r"\d|\[|\]|\{|\}", text) for text in said)  # no claim, no mark, no unfilled place


@pytest.mark.parametrize("language", LANGUAGES)
def test_notice_names_the_documents_language_and_any_other_one(language: str) -> None:
    texts = {notice(document, language).text for document in (*LANGUAGES, "fi")}
    assert len(texts) == len(LANGUAGES) + 1
    assert notice("fi", language) == notice("cs", language)
    assert not any("{" in text for text in texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_named_question_is_one_short_line_without_marks(language: str) -> None:
    text = not_found("and [1] what\nabout " + "very " * 100 + "long {things}?", language).text
    assert len(text) < 200
    assert "\n" not in text
    assert "[1]" not in text


@pytest.mark.parametrize(("language", "said_in"), [("zh", "zh"), ("it", "en"), (None, "en")])
def test_language_without_phrases_hears_english(language: str | None, said_in: str) -> None:
    assert spoken(language) == said_in


@pytest.mark.parametrize("language", LANGUAGES)
def test_wish_for_a_person_that_the_chat_page_sends_is_understood(language: str) -> None:
    block = PAGE.read_text(encoding="utf-8").split(f"\n  {language}: {{")[1].split("}")[0]
    wish = re.search(r'wish: "([^"]+)"', block)
    assert wish is not None
    assert recognise(wish[1]) == Recognised(Courtesy.HANDOFF, language)
