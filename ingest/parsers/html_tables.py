"""HTML tables as rows of equal columns: spans are filled, header cells become column names."""

from __future__ import annotations

from collections.abc import Sequence

from selectolax.lexbor import LexborNode

from ingest.parsed import BlockKind, DocumentBuilder
from ingest.parsers.html_visibility import inline_text, is_visible
from ingest.parsers.tables import add_table

_MAX_SPAN = 50  # of a cell, in rows or columns; the rest of a larger span stays empty
_LAYOUT_CONTENT = "table, h1, h2, h3, h4, h5, h6, ul, ol, pre"


def is_layout(table: LexborNode) -> bool:
    """True for a table that only arranges a page: its cells hold headings, lists or other tables."""
    if (table.attributes.get("role") or "").lower() in ("presentation", "none"):
        return True
    # css() also matches the table itself.
    return any(found != table for found in table.css(_LAYOUT_CONTENT))


def add_html_table(builder: DocumentBuilder, table: LexborNode) -> None:
    rows = [_cells(row) for row in table.css("tr") if is_visible(row)]
    rows = [row for row in rows if row]
    caption = table.css_first("caption")
    if caption is not None and is_visible(caption):
        builder.add(BlockKind.PARAGRAPH, inline_text(caption))
    heads = 0
    while heads < len(rows) and all(cell.tag == "th" for cell in rows[heads]):
        heads += 1
    grid = _grid(rows)
    if heads == 0:
        add_table(builder, grid)
        return
    add_table(builder, grid[heads:], _column_names(grid[:heads]))


def _cells(row: LexborNode) -> list[LexborNode]:
    cells = []
    child = row.child
    while child is not None:
        if child.tag in ("td", "th"):
            cells.append(child)
        child = child.next
    return cells


def _grid(rows: Sequence[Sequence[LexborNode]]) -> list[list[str]]:
    """Text by row and column. A cell that spans rows or columns is repeated in each."""
    reserved: dict[tuple[int, int], str] = {}
    grid: list[list[str]] = []
    for row_number, row in enumerate(rows):
        texts: list[str] = []
        for cell in row:
            while (row_number, len(texts)) in reserved:
                texts.append(reserved.pop((row_number, len(texts))))
            text = inline_text(cell) if is_visible(cell) else ""
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            for below in range(1, min(down, len(rows) - row_number)):
                reserved.update({(row_number + below, len(texts) + i): text for i in range(across)})
            # A data cell across several columns is said once, a heading above several columns names each.
            texts += [text] * across if cell.tag == "th" else [text, *[""] * (across - 1)]
        while (row_number, len(texts)) in reserved:
            texts.append(reserved.pop((row_number, len(texts))))
        grid.append(texts)
    return grid


def _column_names(heads: Sequence[Sequence[str]]) -> list[str]:
    """Of stacked header rows, the names above a column are joined: ``Price`` over ``EUR`` is ``Price EUR``."""
    width = max(len(row) for row in heads)
    columns = [[row[i].strip() for row in heads if i < len(row)] for i in range(width)]
    return [" ".join(dict.fromkeys(name for name in column if name)) for column in columns]


def _span(cell: LexborNode, attribute: str) -> int:
    value = (cell.attributes.get(attribute) or "1").strip()
    return min(_MAX_SPAN, max(1, int(value))) if value.isdecimal() and len(value) < 7 else 1
