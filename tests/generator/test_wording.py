from __future__ import annotations

import pytest

from generator.wording import content_words, stems


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Which countries are in zone A?", ["countries", "zone", "A"]),
        ("Do I need plan B, a lamp and 5 bulbs?", ["plan", "B", "lamp", "5", "bulbs"]),
        ("A lamp 😀 costs?", ["lamp", "costs"]),
        ("返品", ["返", "品"]),
    ],
)
def test_content_words_name_what_is_asked(text: str, found: list[str]) -> None:
    assert [token.raw for token in content_words(text)] == found


def test_article_is_no_letter_to_be_found() -> None:
    assert "a" in stems("Zone: A; Price: 5")
    assert "a" not in stems("This is a lamp.")
