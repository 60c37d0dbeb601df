"""What the pages' files must never hold, and colours that everybody can read. Needs no browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[2] / "api" / "pages"
MARKUP_FROM_TEXT = re.compile(
    r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|setHTML\w*|document\.write|eval|DOMParser|createContextualFragment)\b"
    r"|new Function"
)
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", re.IGNORECASE)
TOKEN = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
READABLE = 4.5  # WCAG 2.2, 1.4.3, contrast of text
VISIBLE = 3.0  # WCAG 2.2, 1.4.11, contrast of a control's edge
TEXT_ON = {
    "ink": ("page", "surface", "sunken", "mark", "good-wash", "bad-wash", "accent-wash"),
    "soft-ink": ("page", "surface", "sunken", "bad-wash"),
    "accent": ("page", "surface", "accent-wash"),
    "on-accent": ("accent", "accent-hover"),
    "good": ("good-wash",),
    "busy": ("busy-wash",),
    "bad": ("page", "surface", "bad-wash"),
    "surface": ("bad",),
}


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.js")), ids=lambda path: path.name)
def test_script_never_turns_text_into_markup(path: Path) -> None:
    assert MARKUP_FROM_TEXT.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.html")), ids=lambda path: path.name)
def test_page_has_no_inline_script_or_style(path: Path) -> None:
    assert INLINE.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.*")), ids=lambda path: path.name)
def test_every_asset_that_is_named_exists_and_none_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r'/assets/([\w.-]+)|from "\./([\w.-]+)"', text)
    assert [name for pair in named for name in pair if name and not (PAGES / name).is_file()] == []
    assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_the_contrast_that_reading_needs(scheme: str) -> None:
    colours = _colours(scheme)
    pairs = [(text, ground) for text, grounds in TEXT_ON.items() for ground in grounds]
    too_weak = {pair: ratio for pair in pairs if (ratio := _contrast(*(colours[name] for name in pair))) < READABLE}
    assert too_weak == {}
    assert _contrast(colours["strong-line"], colours["surface"]) >= VISIBLE


def _colours(scheme: str) -> dict[str, str]:
    light, _, rest = (PAGES / "base.css").read_text(encoding="utf-8").partition("@media (prefers-color-scheme: dark)")
    dark = rest.partition("*,\n")[0]
    return dict(TOKEN.findall(light if scheme == "light" else dark))


def _contrast(one: str, other: str) -> float:
    """Contrast ratio 1..21, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    darker, lighter = sorted(_luminance(colour) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
