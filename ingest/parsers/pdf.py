"""PDF by pypdfium2: lines with their place on the page, put back together into paragraphs and headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pypdfium2

from domain.errors import DocumentUnreadable
from ingest.parsed import BlockKind, DocumentBuilder, ParsedDocument
from ingest.parsers.pdf_lines import Line, page_lines, without_running_lines
from ingest.parsers.text import starts_item, without_bullet

_HEADING_SCALE = 1.12  # a heading is set at least this much larger than the body
_MAX_HEADING_WORDS = 15
_MAX_LEVEL = 4
_PARAGRAPH_GAP = 1.45  # in line pitches: a wider step down starts a new paragraph
_FULL_LINE = 0.8  # of the usual width: a shorter line was ended on purpose
_STOPS = ".!?:;…。！？：；"
_FILE_LIKE_TITLE = re.compile(
    r"\.(?:docx?|pdf|xlsx?|pptx?|odt|indd|tex|dvi|rtf|html?|txt|cdr|qxd)\b|^untitled|^microsoft ", re.I
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
    for kind, level, text in _blocks(lines):
        if kind is BlockKind.HEADING:
            builder.heading(text, level)
        else:
            builder.add(kind, text)
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


def _blocks(lines: Sequence[Line]) -> Iterator[tuple[BlockKind, int, str]]:
    """Blocks as (kind, heading level or 0, text)."""
    body = _body_size(lines)
    sizes = sorted({line.size for line in lines if _is_heading(line, body)}, reverse=True)
    levels = {size: min(_MAX_LEVEL, rank) for rank, size in enumerate(sizes, start=1)}
    lengths = sorted(len(line.text) for line in lines)
    width = lengths[int(len(lengths) * 0.9)]
    pitch = _line_pitch(lines)
    start = 0
    for index in range(1, len(lines) + 1):
        if index < len(lines) and _belongs_together(lines[index - 1], lines[index], body, width, pitch):
            continue
        first = lines[start]
        text = _joined(lines[start:index])
        if _is_heading(first, body) and len(text.split()) <= _MAX_HEADING_WORDS:
            yield BlockKind.HEADING, levels[first.size], text
        elif starts_item(first.text):
            yield BlockKind.LIST_ITEM, 0, without_bullet(text)
        else:
            yield BlockKind.PARAGRAPH, 0, text
        start = index


def _belongs_together(previous: Line, line: Line, body: float, width: int, pitch: float) -> bool:
    if starts_item(line.text) or _is_heading(previous, body) != _is_heading(line, body):
        return False
    step = previous.top - line.top if previous.page == line.page else pitch
    if pitch and step > _PARAGRAPH_GAP * max(pitch, line.size):
        return False
    if _is_heading(line, body):
        return previous.size == line.size and previous.page == line.page
    is_continued = line.text[:1].islower() or previous.text[-1] in "-\u00ad\u2010,"
    is_full = len(previous.text) >= _FULL_LINE * width
    if previous.page != line.page:
        return is_continued or (is_full and previous.text[-1] not in _STOPS)
    return is_full or (is_continued and previous.text[-1] not in ".!?")


def _joined(lines: Sequence[Line]) -> str:
    text = lines[0].text
    for line in lines[1:]:
        last = text[-1]
        if last == "\u00ad" or (last in "-\u2010" and text[-2:-1].isalpha() and line.text[:1].islower()):
            text = text[:-1] + line.text  # a word that was hyphenated at the line's end
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
