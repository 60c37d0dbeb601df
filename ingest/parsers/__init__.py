"""Bytes to text, one module a format. Importing this loads no parser: the child process pays only for what it needs."""

from __future__ import annotations

from pathlib import Path

from domain.errors import EmptyFile, UnsupportedFileType
from ingest.parsed import ParsedDocument
from ingest.parsers.media_types import (
    CSV,
    DOCX,
    HTML,
    JSON,
    JSON_LINES,
    MARKDOWN,
    PDF,
    PLAIN_TEXT,
    SUPPORTED_EXTENSIONS,
    SUPPORTED_TYPES_REMEDY,
    detect_media_type,
)

__all__ = ["SUPPORTED_EXTENSIONS", "detect_media_type", "parse"]


def parse(path: Path, media_type: str, source: str) -> ParsedDocument:
    """The document's text and blocks.

    Runs third-party parsers on untrusted bytes: outside tests go through ``ingest.guarded.parse_guarded``.

    Raises:
        EmptyFile: the file was read and there are no words in it.
        DocumentUnreadable: broken, encrypted, scanned, of the wrong shape, or a decompression bomb.
        UnsupportedFileType: no parser for the media type.
    """
    parsed = _parse(path, media_type, source)
    if not any(character.isalnum() for character in parsed.text):
        raise EmptyFile(f"{source} holds no text.", "Upload a file with readable text in it.")
    return parsed


def _parse(path: Path, media_type: str, source: str) -> ParsedDocument:
    if media_type == PDF:
        from ingest.parsers.pdf import parse_pdf

        return parse_pdf(path, source)
    if media_type == DOCX:
        from ingest.parsers.docx import parse_docx

        return parse_docx(path, source)
    return _parse_text_format(path.read_bytes(), media_type, source)


def _parse_text_format(data: bytes, media_type: str, source: str) -> ParsedDocument:
    if media_type == HTML:
        from ingest.parsers.html import parse_html

        return parse_html(data, source)
    if media_type == MARKDOWN:
        from ingest.parsers.markdown import parse_markdown

        return parse_markdown(data, source)
    if media_type == PLAIN_TEXT:
        from ingest.parsers.text import parse_text

        return parse_text(data, source)
    from ingest.parsers.faq import parse_csv, parse_json, parse_json_lines

    parsers = {CSV: parse_csv, JSON: parse_json, JSON_LINES: parse_json_lines}
    if media_type not in parsers:
        raise UnsupportedFileType(f"{source} is of the type {media_type}.", SUPPORTED_TYPES_REMEDY)
    return parsers[media_type](data, source)
