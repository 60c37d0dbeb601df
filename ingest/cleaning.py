"""What every parser's text goes through: no hidden characters, one kind of white space, NFC.

Characters that a reader cannot see are dropped because they can hide instructions from the people who uploaded the
file, and because they keep equal words from matching.
"""

from __future__ import annotations

import re

from domain.text import normalise

_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
# Zero-width, soft hyphen, direction marks and overrides, byte order marks, invisible operators, tag characters,
# and every control character except tab and line ends.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# Joiners shape Arabic, Indic and emoji sequences; between Latin letters they only hide something.
_STRAY_JOINER = re.compile(r"(?<![\u0600-\U0001ffff])[\u200c\u200d]")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n{3,}")


def drop_invisible(text: str) -> str:
    return _STRAY_JOINER.sub("", _INVISIBLE.sub("", text.translate(_LIGATURES)))


def clean_inline(text: str) -> str:
    """One line: every run of white space, line ends included, is a single space."""
    return normalise(" ".join(drop_invisible(_LINE_END.sub("\n", text)).split()))


def clean_lines(text: str) -> str:
    """Lines stay lines: each is cleaned by itself, and at most one blank line stands between two."""
    lines = drop_invisible(_LINE_END.sub("\n", text)).split("\n")
    joined = "\n".join(" ".join(line.split()) for line in lines)
    return normalise(_BLANK_LINES.sub("\n\n", joined).strip())
