from __future__ import annotations

import pytest

from ingest.parsers.encoding import decode


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"])
def test_western_text_is_read_in_any_usual_encoding(encoding: str) -> None:
    text = "Die Rückgabe ist für 30 Tage möglich; die Gebühr beträgt 5,90 Euro."
    assert decode(text.encode(encoding)) == text


def test_big_endian_utf16_with_mark() -> None:
    assert decode(b"\xfe\xff" + "返品は30日以内です。".encode("utf-16-be")) == "返品は30日以内です。"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "您可以在收到商品后三十天内退货，退货运费由我们承担。请保留原包装和发票。" * 3),
        ("shift_jis", "商品到着後三十日以内であれば返品できます。送料は弊社が負担いたします。" * 3),
        ("cp1251", "Товар можно вернуть в течение тридцати дней с момента доставки." * 3),
    ],
)
def test_legacy_encodings_of_other_scripts(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_one_broken_byte_does_not_turn_utf8_into_something_else() -> None:
    decoded = decode("Käse für alle Öfen überall. ".encode() * 10 + b"\xff" + " Größe".encode())
    assert decoded.startswith("Käse für")
    assert decoded.endswith("\ufffd Größe")


def test_declared_encoding_is_believed_when_the_bytes_are_not_utf8() -> None:
    assert decode("Привет".encode("koi8-r"), "koi8-r") == "Привет"
    assert decode("Grüße".encode("latin-1"), "no-such-encoding") == "Grüße"
