from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from retriever.terms import extract_terms


def terms(text: str) -> list[str]:
    return extract_terms([text])[0]


def test_inflections_meet_in_one_stem() -> None:
    assert terms("returning returned returns") == [terms("return")[0]] * 3


def test_stop_words_are_left_out() -> None:
    assert terms("How can I please have the") == []


@pytest.mark.parametrize("spelling", ["Wi-Fi", "wifi", "WI-FI"])
def test_compound_meets_its_joined_form(spelling: str) -> None:
    assert terms("wifi")[0] in terms(spelling)


@pytest.mark.parametrize(
    ("left", "right"), [("Café", "cafe"), ("customer’s", "customer"), ("don't", "dont"), ("ＡＢＣ", "abc")]
)
def test_accents_apostrophes_and_widths_do_not_separate(left: str, right: str) -> None:
    assert terms(left) == terms(right)


def test_chinese_and_japanese_give_overlapping_pairs() -> None:
    assert terms("退货政策") == ["退货", "货政", "政策"]
    assert terms("手机iPhone") == ["手机", terms("iphone")[0]]
    assert terms("灯") == ["灯"]


def test_hangul_stays_in_one_piece() -> None:
    assert terms("환불 정책") == ["환불", "정책"]


def test_numbers_and_codes_are_kept() -> None:
    assert {"4711", "30"} <= set(terms("Order 4711 within 30 days"))


@pytest.mark.parametrize("text", ["", "  \n", "🙂🙂", "___", "-.-", "\u202e"])
def test_text_without_words_gives_no_terms(text: str) -> None:
    assert terms(text) == []


def test_threads_do_not_disturb_each_other() -> None:
    text = "returning parcels quickly after deliveries " * 50
    expected = terms(text)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(terms, [text] * 40))


@pytest.mark.parametrize(
    ("left", "right"),
    [("الضمان", "بالضمان"), ("والضَّمان", "ضمان"), ("للمصباح", "المصباح"), ("بطارية", "البطاريه"), ("إرجاع", "ارجاع")],
)
def test_arabic_article_and_spellings_do_not_separate(left: str, right: str) -> None:
    assert terms(left) == terms(right)


def test_arabic_word_that_only_begins_like_the_article_keeps_its_letters() -> None:
    assert terms("والد") == ["والد"]


def test_thai_gives_overlapping_pairs() -> None:
    assert terms("คืนเงิน") == ["คน", "นเ", "เง", "งน"]
