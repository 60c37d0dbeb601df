"""Which elements of a page a visitor sees, and which of those belong to the page rather than to its content."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

# Never text for a reader, or only text of a control.
# fmt: off
_UNREAD = frozenset((
    "script", "style", "noscript", "template", "head", "title", "meta", "link", "svg", "canvas", "iframe", "object",
    "embed", "audio", "video", "map", "button", "select", "textarea", "input", "datalist", "progress", "meter",
    "dialog", "rp",
))
# fmt: on
_PAGE_PARTS = frozenset(("nav", "footer", "header"))
_PAGE_ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "menu", "menubar"))
# Inside these a <header> or <footer> belongs to the content: it often holds the headline.
_CONTENT_PARTS = frozenset(("article", "section", "main", "blockquote"))
_HIDING_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0*\.?0+\s*(?:%|;|!|$)"
    r"|font-size\s*:\s*0*\.?0+\s*(?:[a-z%]+)?\s*(?:;|!|$)"
    r"|(?:left|top|right|bottom|text-indent|margin-left|margin-top)\s*:\s*-\d{3,}"
    r"|clip\s*:\s*rect\(\s*0"
)
_WHITE_TEXT = re.compile(r"(?<![-\w])color\s*:\s*(?:white\b|#fff(?:fff)?\b|rgb\(\s*255\s*,\s*255\s*,\s*255\s*\))")


def is_visible(node: LexborNode) -> bool:
    """False for scripts and controls, and for what attributes or inline style hide. Style sheets are not read."""
    if node.tag in _UNREAD:
        return False
    attributes = node.attributes
    if not attributes:
        return True
    if "hidden" in attributes or (attributes.get("aria-hidden") or "").lower() == "true":
        return False
    style = (attributes.get("style") or "").lower()
    if not style:
        return True
    is_white_on_white = bool(_WHITE_TEXT.search(style)) and "background" not in style
    return not is_white_on_white and not _HIDING_STYLE.search(style)


def is_boilerplate(node: LexborNode) -> bool:
    """Navigation, and the header and footer of the page (not those of an article in it)."""
    tag = node.tag or ""
    if tag == "nav" or (node.attributes.get("role") or "").lower() in _PAGE_ROLES:
        return True
    return tag in _PAGE_PARTS and not _is_inside_content(node)


def inline_text(node: LexborNode) -> str:
    """The visible text below ``node`` in one piece, as for a heading or a table cell."""
    parts: list[str] = []
    stack: list[LexborNode] = [node]
    while stack:
        current = stack.pop()
        if current.is_text_node:
            parts.append(current.text_content or "")
            continue
        if not current.is_element_node or not is_visible(current):
            continue
        if current.tag in ("br", "p", "div", "li", "tr"):
            parts.append(" ")
        child = current.last_child
        while child is not None:
            stack.append(child)
            child = child.prev
    return "".join(parts)


def _is_inside_content(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag in _CONTENT_PARTS:
            return True
        parent = parent.parent
    return False
