"""The lines of PDF pages, without hidden ones and without the headers and footers that run through the document."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass

import pypdfium2

_SMALLEST_READABLE = 1.5  # points; smaller print is there to be found, not to be read
_EDGE_LINES = 3  # at the top and at the bottom of a page may be a running header or footer
_RUNNING_SHARE = 0.4  # of the pages repeat it: left and right pages often differ
_PAGE_NUMBER = re.compile(r"(?:page|seite|p\.)?\s*[-–]?\s*\d{1,5}\s*[-–]?(?:\s*(?:/|of|von)\s*\d{1,5})?", re.I)
_DIGITS = re.compile(r"[0-9]{1,9}")
# PDFium writes U+FFFE (older versions U+0002) in place of a line's last hyphen and its end.
_RAW_LINE = re.compile(r"[^\n\ufffe\x02]+[\ufffe\x02]?")
_HYPHEN_MARKS = str.maketrans({"\ufffe": "\u00ad", "\x02": "\u00ad"})

_Box = tuple[float, float, float, float]  # left, bottom, right, top in points
_Pattern = tuple[bool, float, str]  # in the upper half?, size, text with # for numbers


@dataclass(frozen=True, slots=True)
class Line:
    """Cells of a table's row are set apart by tabs.

    ``size`` (of the print) and ``top`` (from the page's lower edge) are in points, 0 when unknown.
    """

    text: str
    page: int
    size: float = 0.0
    top: float = 0.0


def page_lines(document: pypdfium2.PdfDocument, number: int) -> list[Line]:
    """Lines in the file's order. A page that PDFium cannot load has none."""
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return []
    text_page = page.get_textpage()
    try:
        count = text_page.count_chars()
        text: str = text_page.get_text_range(0, count) if count else ""
        # Characters and text positions agree unless the page has characters that PDFium leaves out.
        has_positions = len(text) == count
        bounds = page.get_bbox()
        lines = []
        for match in _RAW_LINE.finditer(text):
            raw = match[0]
            line = (
                _line(text_page, raw, match.start(), number, bounds) if has_positions else Line(_stripped(raw), number)
            )
            if line is not None and line.text:
                lines.append(line)
        return lines
    finally:
        text_page.close()
        page.close()


def _line(text_page: pypdfium2.PdfTextPage, raw: str, start: int, number: int, bounds: _Box) -> Line | None:
    """None for a line without text, or one that no reader can see."""
    first, last = len(raw) - len(raw.lstrip()), len(raw.rstrip())
    if last <= first:
        return None
    box: _Box = text_page.get_charbox(start + first, loose=True)
    if not _is_readable(box, bounds):
        return None
    size = round(2 * (box[3] - box[1])) / 2
    text = raw[first:last]
    if text_page.count_rects(start + first, last - first) > 1:  # more than one run: perhaps a table's row
        text = _with_tabs(text_page, text, start + first, size)
    return Line(_stripped(text), number, size, box[3])


def _with_tabs(text_page: pypdfium2.PdfTextPage, text: str, start: int, size: float) -> str:
    """A space that is wider than a letter is high becomes a tab: it stands between two columns."""
    characters = list(text)
    for i in range(1, len(text) - 1):
        if text[i] == " ":
            left, right = text_page.get_charbox(start + i - 1)[2], text_page.get_charbox(start + i + 1)[0]
            if right - left > max(size, _SMALLEST_READABLE):
                characters[i] = "\t"
    return "".join(characters)


def _stripped(raw: str) -> str:
    return raw.strip().translate(_HYPHEN_MARKS)


def without_running_lines(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Drop page numbers, and lines that stand at the edge of many pages, the same but for the page's number."""
    if len(pages) < 2:
        return [list(page) for page in pages]
    places: dict[_Pattern, set[tuple[int, tuple[int, ...]]]] = defaultdict(set)
    for number, page in enumerate(pages):
        for i in _edges(page):
            places[_pattern(page, i)].add((number, _numbers(page[i])))
    filled = sum(bool(page) for page in pages)
    needed = 2 if filled == 2 else max(3, round(_RUNNING_SHARE * filled))
    running = {
        pattern for pattern, found in places.items() if len({n for n, _ in found}) >= needed and _counts_pages(found)
    }
    kept = []
    for page in pages:
        dropped = {i for i in _edges(page) if _pattern(page, i) in running or _is_page_number(page, i)}
        kept.append([line for i, line in enumerate(page) if i not in dropped])
    return kept


def _edges(page: Sequence[Line]) -> set[int]:
    # Of a short page only the outermost lines can be running ones: the rest is its content.
    depth = min(_EDGE_LINES, max(1, len(page) // 4))
    return {i for i in range(len(page)) if i < depth or i >= len(page) - depth}


def _pattern(page: Sequence[Line], index: int) -> _Pattern:
    line = page[index]
    return index < len(page) / 2, line.size, _DIGITS.sub("#", line.text.casefold())


def _numbers(line: Line) -> tuple[int, ...]:
    return tuple(int(digits) for digits in _DIGITS.findall(line.text))


def _counts_pages(found: Set[tuple[int, tuple[int, ...]]]) -> bool:
    """True when each number in the line stays the same or rises with the pages; those of "Chapter 1" and "2" do not."""
    for column in zip(*(numbers for _, numbers in found), strict=True):
        steps = {value - page for value, (page, _) in zip(column, found, strict=True)}
        if len(set(column)) > 1 and len(steps) > 1:
            return False
    return True


def _is_page_number(page: Sequence[Line], index: int) -> bool:
    return index in (0, len(page) - 1) and len(page) > 1 and bool(_PAGE_NUMBER.fullmatch(page[index].text))


def _is_readable(box: _Box, page: _Box) -> bool:
    left, bottom, right, top = box
    is_on_page = right > page[0] and left < page[2] and top > page[1] and bottom < page[3]
    return is_on_page and max(top - bottom, right - left) >= _SMALLEST_READABLE
