from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How long do I have to return a lamp?", "en"),
        ("¿Cuánto cuesta el envío?", "es"),
        ("cuanto cuesta el envio", "es"),
        ("¿Patines?", "es"),  # too short for the model, but nobody else writes this mark
        ("Combien coûte la livraison ?", "fr"),
        ("wie lange habe ich garantie", "de"),
        ("quanto costa la spedizione", "it"),
        ("退货需要多少钱", "zh"),
        ("送料", "zh"),  # two characters that both languages write
        ("返品できますか", "ja"),
        ("カタログ", "ja"),
        ("환불 정책이 궁금해요", "ko"),
        ("ما مدة الضمان؟", "ar"),
        ("مدت ضمانت چراغ چقدر است؟", "fa"),
        ("Какая гарантия?", "ru"),
        ("Яка гарантія?", "uk"),
        ("คืนสินค้าได้ไหม", "th"),
        ("iPhone 充电器多少钱", "zh"),  # a brand does not make it English
        ("Do you sell 灯笼 lamps?", "en"),
    ],
)
def test_language_of_a_message(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "Otter", "USB-C", "4711", "🙂🙂", "VISA", "ok", "refund?", "x", "\ud800\x00"])
def test_nothing_is_said_of_what_is_too_short_to_tell(text: str) -> None:
    assert language_of(text) is None


@pytest.mark.parametrize(
    "text",
    ["voucher from 2023, still good?", "do u accpet cheks or is it olny plastic", "Heron floor lamp manual", "VAT"],
)
def test_short_and_mistyped_english_is_never_taken_for_another_language(text: str) -> None:
    assert language_of(text) in (None, "en")


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_text_has_a_language_or_none(text: str) -> None:
    language = language_of(text)
    assert language is None or len(language) == 2
