"""Word documents: headings, paragraphs, lists and tables in the order in which they stand."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
from docx.document import Document
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.ns import qn
from lxml.etree import XMLSyntaxError  # type: ignore[import-untyped]  # lxml ships no stubs

from domain.errors import DocumentUnreadable
from ingest.parsed import BlockKind, DocumentBuilder, ParsedDocument
from ingest.parsers.docx_styles import StyleSheet
from ingest.parsers.tables import add_table

_MAX_MEMBERS = 10_000
_MAX_EXPANDED_BYTES = 400 * 1024 * 1024
_MAX_RATIO = 200  # plain XML seldom passes 60
_RATIO_COUNTS_FROM = 20 * 1024 * 1024  # a small file may be as repetitive as it likes
_HIDDEN_TEXT = frozenset(qn(tag) for tag in ("w:vanish", "w:webHidden"))
# Deleted text, the old place of moved text, and the second copy of a text box for old readers.
_SKIPPED = frozenset(
    (
        qn("w:del"),
        qn("w:moveFrom"),
        qn("w:pPr"),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    )
)
_SMALLEST_READABLE = 4  # half points


def parse_docx(path: Path, source: str) -> ParsedDocument:
    """Raises DocumentUnreadable for a broken file, one that is not a Word document, or a decompression bomb."""
    document = _open(path, source)
    builder = DocumentBuilder()
    styles = StyleSheet(document)
    for element in _body(document.element.body):
        if element.tag == qn("w:tbl"):
            add_table(builder, _rows(element))
        else:
            _add_paragraph(builder, element, styles)
    title = document.core_properties.title if _has_core_properties(document) else ""
    return builder.build(source, [builder.first_heading(1), builder.first_heading(2), title])


def _open(path: Path, source: str) -> Document:
    try:
        _refuse_bomb(path, source)
        return docx.Document(str(path))
    except (zipfile.BadZipFile, PackageNotFoundError, XMLSyntaxError, KeyError, ValueError, EOFError) as error:
        raise DocumentUnreadable(
            f"{source} is not a Word document that can be opened ({type(error).__name__}).",
            "Open it in a word processor, save it as .docx again and upload the new file.",
        ) from error


def _refuse_bomb(path: Path, source: str) -> None:
    """Sizes come from the archive's directory; Python's zipfile never expands a member beyond the size it states."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    expanded = sum(member.file_size for member in members)
    ratio = expanded / max(1, path.stat().st_size)
    if (
        len(members) > _MAX_MEMBERS
        or expanded > _MAX_EXPANDED_BYTES
        or (expanded > _RATIO_COUNTS_FROM and ratio > _MAX_RATIO)
    ):
        raise DocumentUnreadable(
            f"{source} would expand to {expanded / 1e6:.0f} MB in {len(members)} parts, {ratio:.0f} times its size, "
            "which no ordinary document does.",
            "Save it again in a word processor, without embedded media, and upload the new file.",
        )


def _body(parent: Any) -> Iterator[Any]:
    """Paragraphs and tables, also those inside content controls and tracked insertions."""
    for element in parent:
        if element.tag in (qn("w:p"), qn("w:tbl")):
            yield element
        elif element.tag in (qn("w:sdt"), qn("w:sdtContent"), qn("w:ins"), qn("w:moveTo"), qn("w:customXml")):
            yield from _body(element)


def _add_paragraph(builder: DocumentBuilder, element: Any, styles: StyleSheet) -> None:
    text = _text(element)
    level = styles.heading_level(element)
    if level:
        builder.heading(text, level)
        return
    kind = BlockKind.LIST_ITEM if styles.is_list_item(element) else BlockKind.PARAGRAPH
    builder.add(kind, text, keep_lines=True)


def _text(paragraph: Any) -> str:
    parts: list[str] = []
    stack = [paragraph]
    while stack:
        element = stack.pop()
        if element.tag in _SKIPPED or (element.tag == qn("w:r") and _is_hidden(element)):
            continue
        if element.tag == qn("w:t"):
            parts.append(element.text or "")
        elif element.tag == qn("w:tab"):
            parts.append("\t")
        elif element.tag in (qn("w:br"), qn("w:cr")):
            parts.append("\n")
        elif element.tag == qn("w:noBreakHyphen"):
            parts.append("-")
        elif element.tag == qn("w:p") and parts:
            parts.append("\n")  # a paragraph of a text box
        stack.extend(reversed(element))
    return "".join(parts)


def _is_hidden(run: Any) -> bool:
    properties = run.find(qn("w:rPr"))
    if properties is None:
        return False
    for child in properties:
        if child.tag in _HIDDEN_TEXT:
            return child.get(qn("w:val"), "true") not in ("0", "false", "off")
        if child.tag == qn("w:sz"):
            size = child.get(qn("w:val"), "")
            if size.isdecimal() and int(size) < _SMALLEST_READABLE:
                return True
    return False


def _rows(table: Any) -> list[list[str]]:
    """Cell texts by row; a cell merged downwards repeats its text, one merged across is followed by empty cells."""
    rows: list[list[str]] = []
    for row in table.iter(qn("w:tr")):
        if next(row.iterancestors(qn("w:tbl"))) is not table:
            continue  # a row of a table inside a cell, whose text that cell already has
        texts: list[str] = []
        for cell in row.iter(qn("w:tc")):
            if next(cell.iterancestors(qn("w:tr"))) is not row:
                continue
            properties = cell.find(qn("w:tcPr"))
            text = " ".join(_text(paragraph) for paragraph in cell.iter(qn("w:p")))
            if _is_merged_down(properties) and rows and len(texts) < len(rows[-1]):
                text = rows[-1][len(texts)]
            texts += [text, *[""] * (_columns(properties) - 1)]
        rows.append(texts)
    return rows


def _is_merged_down(properties: Any) -> bool:
    merge = properties.find(qn("w:vMerge")) if properties is not None else None
    return merge is not None and merge.get(qn("w:val"), "continue") == "continue"


def _columns(properties: Any) -> int:
    span = properties.find(qn("w:gridSpan")) if properties is not None else None
    value = span.get(qn("w:val"), "1") if span is not None else "1"
    return min(100, int(value)) if value.isdecimal() and int(value) > 0 else 1


def _has_core_properties(document: Document) -> bool:
    # Asking python-docx for missing properties adds a default part titled "Word Document".
    return any("core-properties" in relationship.reltype for relationship in document.part.package.rels.values())
