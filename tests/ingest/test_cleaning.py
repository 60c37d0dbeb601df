from __future__ import annotations

import unicodedata

from ingest.cleaning import clean_inline, clean_lines


def test_zero_width_and_direction_characters_are_dropped() -> None:
    assert clean_inline("re\u200bfund\u202e with\ufeffin \u206630\u2069 days\U000e0041") == "refund within 30 days"


def test_control_characters_are_dropped_and_line_ends_become_spaces() -> None:
    assert clean_inline("a\x00b\x07\r\nc\x85d\u2028e\tf") == "ab c d e f"


def test_soft_hyphen_and_ligatures_do_not_keep_words_from_matching() -> None:
    assert clean_inline("of\u00adfice e\ufb03cient") == "office efficient"


def test_result_is_nfc_even_when_a_hidden_character_stood_inside() -> None:
    cleaned = clean_inline("cafe\u200b\u0301")
    assert cleaned == "café"
    assert unicodedata.is_normalized("NFC", cleaned)


def test_joiner_stays_in_emoji_and_goes_between_latin_letters() -> None:
    assert clean_inline("👩\u200d🔧 pay\u200dment") == "👩\u200d🔧 payment"


def test_lines_are_kept_with_one_blank_line_at_most() -> None:
    assert clean_lines("  one\u00a0 two \r\n\n\n\n three\n\n") == "one two\n\nthree"
