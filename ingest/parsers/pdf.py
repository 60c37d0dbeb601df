"""PDF by pypdfium2: lines with their place on the page, put back together into paragraphs and headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import pypdfium2

from domain.errors import DocumentUnreadable
from ingest.parsed import BlockKind, DocumentBuilder, ParsedDocument
from ingest.parsers.pdf_lines import Line, page_lines, without_running_lines
from ingest.parsers.tables import add_table
from ingest.parsers.text import starts_item, without_bullet

_HEADING_SCALE = 1.12  # a heading is set at least this much larger than the body
_MAX_HEADING_WORDS = 15
_MAX_LEVEL = 4
_MAX_CELL_WORDS = 8  # on average: columns of prose beside each other are no table
_PARAGRAPH_GAP = 1.45  # in line pitches: a wider step down starts a new paragraph
_FULL_LINE = 0.8  # of the usual width: a shorter line was ended on purpose
_HYPHENS = "-\u00ad\u2010"
_STOPS = ".!?:;…。！？：；"
_FILE_LIKE_TITLE = re.compile(
    r"\.(?:docx?|pdf|xlsx?|pptx?|odt|indd|tex|dvi|rtf|html?|txt|cdr|qxd)\b|^untitled|^microsoft |^\(?anonymous", re.I
)


def parse_pdf(path: Path, source: str) -> ParsedDocument:
    """Raises DocumentUnreadable for a broken, password-protected, or merely scanned file."""
    document = _open(path, source)
    try:
        pages = [page_lines(document, number) for number in range(len(document))]
        metadata_title = document.get_metadata_dict(skip_empty=True).get("Title", "")
    finally:
        document.close()
    lines = [line for page in without_running_lines(pages) for line in page]
    if not any(character.isalnum() for line in lines for character in line.text):
        raise DocumentUnreadable(
            f"This PDF holds only scanned images on its {len(pages)} page(s), and no text.",
            "Run OCR (text recognition) on it first, then upload the result.",
        )
    builder = DocumentBuilder()
    layout = _Layout.of(lines)
    for is_table, run in _runs(lines):
        if is_table:
            add_table(builder, [line.text.split("\t") for line in run])
        else:
            _add_run(builder, run, layout)
    sensible = None if _FILE_LIKE_TITLE.search(metadata_title) or len(metadata_title) < 4 else metadata_title
    return builder.build(source, [sensible, builder.first_heading()])


def _open(path: Path, source: str) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(path)
        pages = len(document)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentUnreadable(
                f"{source} is protected with a password.", "Remove the password and upload it again."
            ) from error
        raise DocumentUnreadable(
            f"{source} is broken: no PDF reader can open it.", "Export the PDF again and upload the new file."
        ) from error
    if pages == 0:
        raise DocumentUnreadable(f"{source} has no pages.", "Export the PDF again and upload the new file.")
    return document


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is usual in this document: size of the print (points), line length (characters), line pitch (points)."""

    body: float
    width: int
    pitch: float
    levels: Mapping[float, int]  # of headings, by their size

    @classmethod
    def of(cls, lines: Sequence[Line]) -> _Layout:
        body = _body_size(lines)
        sizes = sorted({line.size for line in lines if _is_heading(line, body)}, reverse=True)
        levels = {size: min(_MAX_LEVEL, rank) for rank, size in enumerate(sizes, start=1)}
        lengths = sorted(len(line.text) for line in lines)
        return cls(body, lengths[int(len(lengths) * 0.9)], _line_pitch(lines), levels)


def _runs(lines: Sequence[Line]) -> Iterator[tuple[bool, list[Line]]]:
    """Neighbouring lines with equally many short cells are a table (True); the rest is text."""
    for cells, group in groupby(lines, key=lambda line: line.text.count("\t") + 1):
        run = list(group)
        words = sum(len(line.text.split()) for line in run)
        yield len(run) > 1 and cells > 1 and words <= _MAX_CELL_WORDS * cells * len(run), run


def _add_run(builder: DocumentBuilder, lines: Sequence[Line], layout: _Layout) -> None:
    start = 0
    for index in range(1, len(lines) + 1):
        if index < len(lines) and _belongs_together(lines[index - 1], lines[index], layout):
            continue
        first = lines[start]
        text = _joined(lines[start:index])
        if _is_heading(first, layout.body) and len(text.split()) <= _MAX_HEADING_WORDS:
            builder.heading(text, layout.levels[first.size])
        elif starts_item(first.text):
            builder.add(BlockKind.LIST_ITEM, without_bullet(text))
        else:
            builder.add(BlockKind.PARAGRAPH, text)
        start = index


def _belongs_together(previous: Line, line: Line, layout: _Layout) -> bool:
    is_heading = _is_heading(line, layout.body)
    if starts_item(line.text) or _is_heading(previous, layout.body) != is_heading:
        return False
    step = previous.top - line.top if previous.page == line.page else layout.pitch
    if layout.pitch and step > _PARAGRAPH_GAP * max(layout.pitch, line.size):
        return False
    if is_heading:
        return previous.size == line.size and previous.page == line.page
    is_continued = line.text[0].islower() or previous.text[-1] in f"{_HYPHENS},"
    is_full = len(previous.text) >= _FULL_LINE * layout.width
    if previous.page != line.page:
        return is_continued or (is_full and previous.text[-1] not in _STOPS)
    return is_full or (is_continued and previous.text[-1] not in ".!?")


def _joined(lines: Sequence[Line]) -> str:
    text = lines[0].text
    for line in lines[1:]:
        last = text[-1]
        if last in _HYPHENS and text[-2:-1].isalnum():
            # Before a small letter the hyphen only broke the word; "E-" before "Mail" is part of it.
            text = text[:-1] + ("" if line.text[0].islower() else "-") + line.text
        elif _is_cjk(last) and _is_cjk(line.text[0]):
            text += line.text
        else:
            text += f" {line.text}"
    return text


def _is_heading(line: Line, body: float) -> bool:
    has_letters = any(character.isalpha() for character in line.text)
    return body > 0 and line.size >= _HEADING_SCALE * body and line.text[-1] not in ".;," and has_letters


def _body_size(lines: Sequence[Line]) -> float:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    return weights.most_common(1)[0][0]


def _line_pitch(lines: Sequence[Line]) -> float:
    """The usual distance from one line's top to the next one's, in points; 0 when no positions are known."""
    steps = Counter(
        round(above.top - below.top, 0)
        for above, below in pairwise(lines)
        if above.page == below.page and above.size == below.size and above.top - below.top > 1
    )
    return steps.most_common(1)[0][0] if steps else 0.0


def _is_cjk(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"
