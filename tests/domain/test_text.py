from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import count_words, normalise, restricts, sentence_spans, sentences, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 3.50 EUR, e.g. for tea. Ask Mr. Smith!", ["It costs 3.50 EUR, e.g. for tea.", "Ask Mr. Smith!"]),
        ("Is it? No. It is not.", ["Is it?", "No.", "It is not."]),
        ("See No. 5 and max. 20 kg.", ["See No. 5 and max. 20 kg."]),
        ("你好。再见！好", ["你好。", "再见！", "好"]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("Heading\n\n- one\n- two\n1. three", ["Heading", "- one", "- two", "1. three"]),
        ("It is for zone A. Lamps cost more.", ["It is for zone A.", "Lamps cost more."]),
        ("We serve zones A, B and C. Lamps go by post.", ["We serve zones A, B and C.", "Lamps go by post."]),
        ("Zone: A. Lamps cost more.", ["Zone: A.", "Lamps cost more."]),
        ("Choose letter C. You may change it.", ["Choose letter C.", "You may change it."]),
        ("Ask J. Smith or P. R. Jones. They know.", ["Ask J. Smith or P. R. Jones.", "They know."]),
        ("Made by A. The Otter", ["Made by A.", "The Otter"]),
        ("A. Lamps", ["A. Lamps"]),
        ("Version 2.0 works", ["Version 2.0 works"]),
        ("", []),
        (" \n ", []),
        ("他说：“可以退货。”然后挂了。", ["他说：“可以退货。”", "然后挂了。"]),
        ("「返品できます。」と言った。次の文。", ["「返品できます。」と言った。", "次の文。"]),
        ("什么？！真的吗?可以退.请问", ["什么？！", "真的吗?", "可以退.", "请问"]),
        ("价格为3.5元，重2．5公斤。满100元包邮。", ["价格为3.5元，重2．5公斤。", "满100元包邮。"]),
        ("全角の句点．次の文．", ["全角の句点．", "次の文．"]),
        ("我……不知道。（见第三节。）好", ["我……不知道。", "（见第三节。）", "好"]),
        ("步骤：\n①打开\n②关闭\n三、完成", ["步骤：", "①打开", "②关闭", "三、完成"]),
        ("هل يمكن الإرجاع؟ نعم. خلال 4.5 أيام.", ["هل يمكن الإرجاع؟", "نعم.", "خلال 4.5 أيام."]),
        ("یہ ایک جملہ ہے۔ دوسرا جملہ۔", ["یہ ایک جملہ ہے۔", "دوسرا جملہ۔"]),
        ("यह पहला वाक्य है। यह दूसरा है।", ["यह पहला वाक्य है।", "यह दूसरा है।"]),
        ("¿Puedo? Sí. «Claro.» Vale.", ["¿Puedo?", "Sí.", "«Claro.»", "Vale."]),
        ("Er sagte: „Ja.“ Dann ging er.", ["Er sagte: „Ja.“", "Dann ging er."]),
        ("คืนสินค้าได้ กรุณาเก็บใบเสร็จ", ["คืนสินค้าได้ กรุณาเก็บใบเสร็จ"]),  # Thai marks no sentences
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text())
def test_sentence_spans_are_ordered_trimmed_and_lose_no_word(text: str) -> None:
    spans = sentence_spans(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(span.of(text) == span.of(text).strip() != "" for span in spans)
    assert "".join("".join(span.of(text) for span in spans).split()) == "".join(text.split())


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_normalised_text_can_be_stored_anywhere(text: str) -> None:
    clean = normalise(text)
    clean.encode("utf-8")
    assert "\x00" not in clean
    assert normalise(clean) == clean


def test_words_keep_prices_and_contractions_whole_and_count_cjk_characters() -> None:
    assert words("Don't pay 9.90 EUR at 12:30!") == ["Don't", "pay", "9.90", "EUR", "at", "12:30"]
    assert count_words("三十天 days") == 4


def test_vowel_signs_belong_to_their_word_and_a_brand_stays_whole_among_cjk() -> None:
    assert words("كِتَابٌ جديد") == ["كِتَابٌ", "جديد"]
    assert words("किताब") == ["किताब"]
    assert words("iPhone手机") == ["iPhone", "手", "机"]
    assert count_words("ครับ") == 3  # no spaces: every sign counts, with the vowel above it


@pytest.mark.parametrize(
    "text", ["However, not on islands.", "Sin embargo, no en islas.", "但是海岛除外。", "ولكن ليس للجزر."]
)
def test_what_takes_something_back_is_known_in_other_languages(text: str) -> None:
    assert restricts(text)


@pytest.mark.parametrize("text", ["Peroxide is sold here.", "Maisonettes are large.", "保修期为两年。", "لكنها"])
def test_word_that_only_begins_alike_takes_nothing_back(text: str) -> None:
    assert not restricts(text)
