"""Markdown, by way of the HTML that it stands for: one set of rules for headings, lists, tables and hidden text."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from ingest.parsed import ParsedDocument
from ingest.parsers.encoding import decode
from ingest.parsers.html import parse_markup

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
_KEY_LINE = re.compile(r"^[\w-]+[ \t]*:", re.MULTILINE)


def parse_markdown(data: bytes, source: str) -> ParsedDocument:
    text = decode(data)
    title = None
    front = _FRONT_MATTER.match(text)
    if front and _KEY_LINE.match(front[1]):
        named = _FRONT_TITLE.search(front[1])
        title = named[1].strip().strip("\"'") if named else None
        text = text[front.end() :]
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    return parse_markup(rendered, source, title)
