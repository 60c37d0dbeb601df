"""What a Word paragraph's style makes of it: a heading of some level, a list item, or body text."""

from __future__ import annotations

import re
from typing import Any

from docx.document import Document
from docx.oxml.ns import qn

_HEADING_NAME = re.compile(r"heading ([1-9])", re.IGNORECASE)
_MAX_LEVEL = 7
_MAX_BASES = 20  # of a style; a longer chain is a circle


class StyleSheet:
    """Built-in style names are English in every language version of Word, so names are safe to read."""

    def __init__(self, document: Document) -> None:
        styles = document.styles.element
        self._by_id: dict[str, Any] = {style.get(qn("w:styleId"), ""): style for style in styles.findall(qn("w:style"))}
        self._levels: dict[str, int] = {}
        self._lists: dict[str, bool] = {}

    def heading_level(self, paragraph: Any) -> int:
        """1 for the document's title, 2 for "Heading 1" and so on; 0 for anything but a heading."""
        own = _outline_level(paragraph)
        if own is not None:
            return own
        style_id = _style_id(paragraph)
        if style_id not in self._levels:
            self._levels[style_id] = next((x for x in map(_level_of_style, self._chain(style_id)) if x is not None), 0)
        return self._levels[style_id]

    def is_list_item(self, paragraph: Any) -> bool:
        if _has_numbering(paragraph):
            return True
        style_id = _style_id(paragraph)
        if style_id not in self._lists:
            self._lists[style_id] = any(
                _has_numbering(style) or _name(style).lower().startswith("list ") for style in self._chain(style_id)
            )
        return self._lists[style_id]

    def _chain(self, style_id: str) -> list[Any]:
        """The style and what it is based on, nearest first."""
        chain: list[Any] = []
        style = self._by_id.get(style_id)
        while style is not None and len(chain) < _MAX_BASES:
            chain.append(style)
            base = style.find(qn("w:basedOn"))
            style = self._by_id.get(base.get(qn("w:val"), "")) if base is not None else None
        return chain


def _level_of_style(style: Any) -> int | None:
    name = _name(style)
    if name.lower() == "title":
        return 1
    match = _HEADING_NAME.fullmatch(name)
    return min(_MAX_LEVEL, int(match[1]) + 1) if match else _outline_level(style)


def _outline_level(element: Any) -> int | None:
    outline = element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
    value = outline.get(qn("w:val"), "") if outline is not None else ""
    if not value.isdecimal():
        return None
    return min(_MAX_LEVEL, int(value) + 2) if int(value) < 9 else 0  # counts from 0; 9 is "body text"


def _has_numbering(element: Any) -> bool:
    number = element.find(f"{qn('w:pPr')}/{qn('w:numPr')}/{qn('w:numId')}")
    return number is not None and number.get(qn("w:val")) != "0"


def _style_id(paragraph: Any) -> str:
    style = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
    return style.get(qn("w:val"), "") if style is not None else ""


def _name(style: Any) -> str:
    name = style.find(qn("w:name"))
    return name.get(qn("w:val"), "") if name is not None else ""
