"""A table as sentences: each row names its columns, so it can be understood, found and quoted by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.text import count_words, sentences
from ingest.cleaning import clean_inline
from ingest.parsed import BlockKind, DocumentBuilder

_SENTENCE_STOPS = ".!?…。！？｡"
_MAX_HEADER_WORDS = 8
_MAX_ROW_WORDS = 75  # a longer row is cut into its sentences, or no answer could quote it
_VALUE = re.compile(r"\d")


def add_table(builder: DocumentBuilder, rows: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> None:
    """Append the rows as ``Zone: Europe; Price: 9.90 EUR; Time: 3-5 days.``

    Without a ``header`` the first row is taken for one if it looks like it. A table of one column is layout.
    """
    cleaned = [[clean_inline(cell) for cell in row] for row in rows]
    names = [clean_inline(cell) for cell in header] if header is not None else None
    if names is None and looks_like_header(cleaned):
        names = cleaned.pop(0)
    if names is not None and not any(any(row) for row in cleaned):
        cleaned, names = [names], None  # a header alone is still text
    for row in cleaned:
        single_column = len(row) == 1 and names is None
        builder.add(BlockKind.PARAGRAPH if single_column else BlockKind.TABLE_ROW, render_row(row, names))


def render_row(cells: Sequence[str], header: Sequence[str] | None) -> str:
    """Empty cells are left out. Without a header the first cell names the row: ``Weight: 5 kg.``"""
    filled = [(index, cell) for index, cell in enumerate(cells) if cell]
    if header is not None:
        values = [_named(header[index] if index < len(header) else "", cell) for index, cell in filled]
    elif len(filled) > 1:
        values = [_named(filled[0][1], filled[1][1]), *(cell for _, cell in filled[2:])]
    else:
        return "".join(cell for _, cell in filled)
    if not values:
        return ""
    if len(values) > 1 and sum(count_words(value) for value in values) <= _MAX_ROW_WORDS:
        values = [_as_one_sentence(value) for value in values]
    line = "; ".join([*(value.rstrip(".;") for value in values[:-1]), values[-1].rstrip(";")])
    return line if line[-1:] in _SENTENCE_STOPS else f"{line}."


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Short, different names without figures in the first row, above at least one row with as many cells."""
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    first = rows[0]
    names = all(first) and len(set(first)) == len(first)
    plain = all(len(cell.split()) <= _MAX_HEADER_WORDS and cell[-1:] not in ".:;!" for cell in first)
    figures_above = any(_VALUE.search(cell) for cell in first)
    figures_below = any(_VALUE.search(cell) for row in rows[1:] for cell in row)
    return names and plain and (not figures_above) and (len(first) > 2 or figures_below or len(rows) > 2)


def _as_one_sentence(value: str) -> str:
    """A row that falls into sentences falls apart: ``Price: 5 EUR.`` alone does not say of what."""
    *firsts, last = sentences(value)
    return "; ".join([*(first.rstrip(".;。") for first in firsts), last])


def _named(name: str, cell: str) -> str:
    name = name.rstrip(":.; ")
    return f"{name}: {cell}" if name else cell
