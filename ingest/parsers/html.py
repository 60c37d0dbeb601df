"""HTML: what a visitor reads. Scripts, navigation, page header and footer, and hidden text are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.parsed import BlockKind, DocumentBuilder, ParsedDocument
from ingest.parsers.encoding import decode
from ingest.parsers.html_tables import add_html_table, is_layout
from ingest.parsers.html_visibility import inline_text, is_boilerplate, is_visible

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)
_META_WITHIN = 4096
# Their text runs on with its neighbours'; every other element starts and ends a paragraph.
# fmt: off
_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "label", "mark", "q", "ruby", "rb", "rt", "s", "samp", "small", "span", "strike", "strong", "sub",
    "sup", "time", "tt", "u", "var", "wbr",
))
# fmt: on
_SPACE = re.compile(r"\s+")
_SUMMARY_LEVEL = 7  # below <h6>: a <details> holds no deeper headings, as a rule
_TERM_LEVEL = 8


def parse_html(data: bytes, source: str) -> ParsedDocument:
    match = _META_CHARSET.search(data[:_META_WITHIN])
    return parse_markup(decode(data, match[1].decode("ascii") if match else None), source)


def parse_markup(markup: str, source: str, title: str | None = None) -> ParsedDocument:
    """``title`` is used when the markup has no first-level heading of its own."""
    tree = LexborHTMLParser(markup)
    builder = DocumentBuilder()
    root = tree.css_first("main, [role=main]") or tree.body
    _Walker(builder, keep_boilerplate=False).walk(root)
    if not builder.has_words and tree.body is not None:
        builder = DocumentBuilder()
        _Walker(builder, keep_boilerplate=True).walk(tree.body)
    heading, page_title = tree.css_first("h1"), tree.css_first("title")
    titles = [
        builder.first_heading(),
        title,
        inline_text(heading) if heading is not None and is_visible(heading) else None,
        page_title.text() if page_title is not None else None,
    ]
    return builder.build(source, titles)


class _Walker:
    """Visits the tree in document order without recursion: markup may be nested deeper than Python's stack."""

    def __init__(self, builder: DocumentBuilder, *, keep_boilerplate: bool) -> None:
        self._builder = builder
        self._keep_boilerplate = keep_boilerplate
        self._buffer: list[str] = []
        self._kinds: list[BlockKind] = [BlockKind.PARAGRAPH]
        self._numbers: list[int | None] = []  # of the open lists; None for one with bullets
        self._prefix = ""  # number of the list item whose text is still to come

    def walk(self, root: LexborNode | None) -> None:
        stack: list[tuple[LexborNode, bool]] = [(root, False)] if root is not None else []
        while stack:
            node, is_leaving = stack.pop()
            if is_leaving:
                self._leave(node.tag or "")
            elif node.is_text_node:
                self._text(node.text_content or "")
            elif node.is_element_node and self._enter(node):
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(list(_children(node))))
        self._flush()

    def _text(self, text: str) -> None:
        # Only <br> and <pre> break lines; other line ends are the author's wrapping.
        self._buffer.append(text if self._kinds[-1] is BlockKind.CODE else _SPACE.sub(" ", text))

    def _enter(self, node: LexborNode) -> bool:
        """False when the element's content must not be visited."""
        tag = node.tag or ""
        if not is_visible(node) or (not self._keep_boilerplate and is_boilerplate(node)):
            return False
        if tag == "br":
            self._buffer.append("\n")
            return False
        if tag in _INLINE:
            return True
        self._flush()
        if tag == "table" and not is_layout(node):
            add_html_table(self._builder, node)
            return False
        if tag in ("ul", "ol", "menu"):
            self._numbers.append(_first_number(node) if tag == "ol" else None)
        elif tag == "li":
            self._kinds.append(BlockKind.LIST_ITEM)
            self._number_item()
        elif tag in ("pre", "listing"):
            self._kinds.append(BlockKind.CODE)
        return True

    def _leave(self, tag: str) -> None:
        if tag in _INLINE:
            return
        if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            self._heading(int(tag[1]))
        elif tag == "summary":
            self._heading(_SUMMARY_LEVEL)
        elif tag == "dt":
            self._heading(_TERM_LEVEL)
        self._flush()
        if tag in ("ul", "ol", "menu"):
            self._numbers.pop()
        elif tag in ("li", "pre", "listing"):
            self._kinds.pop()
        elif tag == "details":
            self._builder.end_sections(_SUMMARY_LEVEL)
        elif tag == "dl":
            self._builder.end_sections(_TERM_LEVEL)

    def _heading(self, level: int) -> None:
        self._builder.heading("".join(self._buffer), level)
        self._buffer.clear()

    def _flush(self) -> None:
        text = "".join(self._buffer)
        self._buffer.clear()
        if not text.strip():
            return
        for part in text.split("\n\n") if self._kinds[-1] is not BlockKind.CODE else [text]:
            self._builder.add(self._kinds[-1], self._prefix + part, keep_lines=True)
            self._prefix = ""

    def _number_item(self) -> None:
        self._prefix = ""
        number = self._numbers[-1] if self._numbers else None
        if number is not None:
            self._prefix = f"{number}. "
            self._numbers[-1] = number + 1


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.child
    while child is not None:
        yield child
        child = child.next


def _first_number(node: LexborNode) -> int:
    start = node.attributes.get("start") or "1"
    return int(start) if start.isdecimal() and len(start) < 6 else 1
