from __future__ import annotations

import pytest

from generator.tokens import tokens


def _keys(text: str) -> list[str]:
    return [token.key for token in tokens(text)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("thirty days", "30 day"),
        ("twenty-five", "25"),
        ("two hundred and a half", "200 and half"),
        ("1,000 bikes", "1000 bike"),
        ("€ 9.90", "9.90 EUR"),
        ("€9.9", "9,90 euros"),
        ("85 percent", "85%"),
        ("can't", "cannot"),
        ("won’t", "will not"),
        ("they're", "they are"),
        ("the shop’s bikes", "a shops bike"),
        ("1.000,50", "1000.5"),
    ],
)
def test_spellings_of_one_thing_share_their_keys(one: str, other: str) -> None:
    assert _keys(one) == _keys(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("30", "300"),
        ("3.5", "35"),
        ("-5 °C", "5 °C"),
        ("€5", "$5"),
        ("5%", "5"),
        ("9:00", "9:30"),
        ("IP54", "IP44"),
        ("020 912", "20 912"),
        ("zone A", "zone"),
        ("can", "cannot"),
        ("1st", "2nd"),
    ],
)
def test_different_things_do_not(one: str, other: str) -> None:
    assert _keys(one) != _keys(other)


def test_offsets_point_at_what_was_written() -> None:
    text = "Pay € 9.90, don't wait; twenty-one days."
    for token in tokens(text):
        assert text[token.start : token.end].strip()
    price = next(token for token in tokens(text) if token.is_number)
    assert text[price.start : price.end] == "€ 9.90"


def test_chinese_is_cut_by_character() -> None:
    assert _keys("返品30日") == ["返", "品", "3", "0", "日"]
