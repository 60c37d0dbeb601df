"""Bytes of a text file to characters, whatever encoding its author's editor used."""

from __future__ import annotations

import codecs

# Longest first: the UTF-32 mark begins with the UTF-16 one.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 65536
_SHORT_BYTES = 100
# Guesses are kept to what office machines write; a free guess takes short Latin-1 texts for anything.
_ASIAN = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"]
_CYRILLIC_AND_GREEK = ["cp1251", "koi8_r", "cp1253"]
_FALLBACK = "cp1252"


def decode(data: bytes, declared: str | None = None) -> str:
    """Byte order mark, then UTF-8, then the declared encoding, then a guess. Bytes that fit nothing become U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # One broken byte in a long UTF-8 file must not turn the whole of it into another encoding.
        if _mostly_utf8(data, error):
            return data.decode("utf-8", errors="replace")
    if declared and (known := _known(declared)):
        return data.decode(known, errors="replace")
    return data.decode(_guess(data[:_SAMPLE_BYTES]), errors="replace")


def _known(name: str) -> str | None:
    try:
        found = codecs.lookup(name.strip().lower())
    except (LookupError, ValueError):
        return None
    # WHATWG: pages that say Latin-1 mean its Windows superset, https://encoding.spec.whatwg.org/#names-and-labels
    return _FALLBACK if found.name in ("iso8859-1", "ascii") else found.name


def _mostly_utf8(data: bytes, error: UnicodeDecodeError) -> bool:
    """True when the file has valid multi-byte characters and hardly any invalid ones."""
    sample = data[: max(_SAMPLE_BYTES, error.end + _SAMPLE_BYTES)]
    decoded = sample.decode("utf-8", errors="replace")
    broken = decoded.count("\ufffd")
    valid = sum(ord(character) > 127 for character in decoded) - broken
    return valid > 10 * broken


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    high = sum(byte > 127 for byte in sample)
    if high * (5 if len(sample) > _SHORT_BYTES else 2) < len(sample):
        return _FALLBACK  # mostly ASCII with a few accents: Western
    best = from_bytes(sample, cp_isolation=[*_ASIAN, *_CYRILLIC_AND_GREEK]).best()
    return best.encoding if best is not None else _FALLBACK
