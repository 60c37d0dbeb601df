"""Plain text: paragraphs, wrapped lines, lists, columns made with spaces, and headings that only look like it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.cleaning import clean_inline
from ingest.parsed import BlockKind, DocumentBuilder, ParsedDocument
from ingest.parsers.encoding import decode
from ingest.parsers.tables import add_table

_BULLET = re.compile(r"\s*[-*•‣◦·–]\s+(?=\S)")
_NUMBERED = re.compile(r"\s*(?:\d{1,3}[.)]|[a-z]\))\s+(?=\S)")
_UNDERLINE = re.compile(r"\s*([=\-~])\1{2,}\s*")
_COLUMN_GAP = re.compile(r"\t+|(?<=\S) {2,}")
_MIN_WRAP_WIDTH = 45  # nobody wraps prose below this; shorter lines were broken on purpose
_MAX_HEADING_WORDS = 10
_MAX_QUESTION_WORDS = 25
_MIN_PROSE_WORDS = 8
_CLOSE_LEVEL = 3  # of a heading right above its text, below the ones that are set apart
_LIST_OR_END = ".!?:;,…。！？；，"


@dataclass(frozen=True, slots=True)
class _Paragraph:
    lines: tuple[str, ...]
    blank_before: int
    is_underlined: bool = False


def parse_text(data: bytes, source: str) -> ParsedDocument:
    builder = DocumentBuilder()
    for index, paragraph in enumerate(_paragraphs(decode(data))):
        level = _heading_level(paragraph, index)
        if level:
            builder.heading(paragraph.lines[0], level)
        elif _stands_over(paragraph.lines):
            builder.heading(paragraph.lines[0], _CLOSE_LEVEL)
            add_lines(builder, paragraph.lines[1:])
        else:
            add_lines(builder, paragraph.lines)
    return builder.build(source, [builder.first_heading()])


def add_lines(builder: DocumentBuilder, lines: Sequence[str]) -> None:
    """Append one paragraph's lines: joined where they were only wrapped, apart where the break was meant."""
    if len(lines) > 1 and all(_COLUMN_GAP.search(line.strip()) for line in lines):
        add_table(builder, [_COLUMN_GAP.split(line.strip()) for line in lines])
        return
    for kind, text in _unwrapped(lines):
        builder.add(kind, text)


def _paragraphs(text: str) -> Iterator[_Paragraph]:
    lines: list[str] = []
    blank = 2  # the file's beginning counts as a wide gap
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").split("\n"), ""]:
        if line.strip() and _UNDERLINE.fullmatch(line):
            if len(lines) == 1:
                yield _Paragraph(tuple(lines), blank, is_underlined=True)
                lines, blank = [], 0
        elif line.strip():
            lines.append(line.rstrip())
        elif lines:
            yield _Paragraph(tuple(lines), blank)
            lines, blank = [], 1
        else:
            blank += 1


def _heading_level(paragraph: _Paragraph, index: int) -> int:
    """0 for body text; 1 for a title at the top, 2 for what stands over a section."""
    line = clean_inline(paragraph.lines[0])
    words = line.split()
    if len(paragraph.lines) > 1 or not words or len(words) > _MAX_HEADING_WORDS or _BULLET.match(line):
        return 0
    is_open_ended = line[-1] not in _LIST_OR_END
    in_capitals = line.isupper() and any(len(word) > 2 for word in words)
    is_set_apart = is_open_ended and paragraph.blank_before >= 2 and any(c.isalpha() for c in line)
    if paragraph.is_underlined or in_capitals or is_set_apart:
        return 1 if index == 0 else 2
    return 0


def _stands_over(lines: Sequence[str]) -> bool:
    """True when the first line is a heading right above its text, as in pages that were copied out of a browser."""
    if len(lines) < 2 or (starts_item(lines[0]) and not lines[0].strip().endswith("?")):
        return False
    line, below = clean_inline(lines[0]), clean_inline(lines[1])
    if not line or not below:
        return False
    words = line.split()
    is_question = line.endswith("?") and len(words) <= _MAX_QUESTION_WORDS
    is_phrase = line[-1:] not in _LIST_OR_END and len(words) <= _MAX_HEADING_WORDS
    opens = line[:1].isupper() or line[:1].isdigit()
    is_prose = below[:1].isupper() and len(below.split()) >= _MIN_PROSE_WORDS
    was_wrapped = len(lines[0]) + 1 + len(below.split(maxsplit=1)[0]) > max(map(len, lines))
    return opens and (is_question or is_phrase) and (is_prose or starts_item(lines[1])) and not was_wrapped


def _unwrapped(lines: Sequence[str]) -> Iterator[tuple[BlockKind, str]]:
    width = max(len(line) for line in lines)
    kind, parts = BlockKind.PARAGRAPH, [lines[0]]
    if starts_item(lines[0]):
        kind, parts = BlockKind.LIST_ITEM, [without_bullet(lines[0])]
    for previous, line in pairwise(lines):
        first_word = line.split(maxsplit=1)[0]
        was_wrapped = width >= _MIN_WRAP_WIDTH and len(previous) + 1 + len(first_word) > width
        is_continued = kind is BlockKind.LIST_ITEM and line[:1].isspace()
        if starts_item(line):
            yield kind, " ".join(parts)
            kind, parts = BlockKind.LIST_ITEM, [without_bullet(line)]
        elif was_wrapped or is_continued:
            parts.append(line)
        else:
            yield kind, " ".join(parts)
            kind, parts = BlockKind.PARAGRAPH, [line]
    yield kind, " ".join(parts)


def starts_item(line: str) -> bool:
    return bool(_BULLET.match(line) or _NUMBERED.match(line))


def without_bullet(line: str) -> str:
    """Bullets are decoration; the number of a step is not."""
    return _BULLET.sub("", line, count=1)
