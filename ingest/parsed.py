"""What a parser hands to the splitter: clean text and the blocks that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from ingest.cleaning import clean_inline, clean_lines

_MAX_TITLE_CHARACTERS = 200
_MAX_HEADING_WORDS = 30  # longer "headings" are body text in large print
_SENTENCE_STOPS = ".!?…。！？｡"


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"
    CODE = "code"
    QUESTION = "question"
    ANSWER = "answer"


# Blocks of these kinds stand line below line; others are set apart by a blank line.
_CLOSE_KINDS = frozenset((BlockKind.LIST_ITEM, BlockKind.TABLE_ROW, BlockKind.CODE))


@dataclass(frozen=True, slots=True)
class Block:
    """``text[start:end]`` of the document. ``heading_path`` of a heading is that of its parents.

    ``question`` is set on a FAQ entry's answer.
    """

    kind: BlockKind
    start: int
    end: int
    heading_path: tuple[str, ...] = ()
    question: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """``blocks`` are in order and never overlap; between them stands only white space.

    ``skipped_rows`` counts the entries of a FAQ file that had no question or no answer.
    """

    title: str
    text: str
    blocks: tuple[Block, ...]
    skipped_rows: int = 0

    def to_json(self) -> dict[str, Any]:
        blocks = [[b.kind.value, b.start, b.end, list(b.heading_path), b.question] for b in self.blocks]
        return {"title": self.title, "text": self.text, "blocks": blocks, "skipped_rows": self.skipped_rows}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ParsedDocument:
        blocks = tuple(
            Block(BlockKind(kind), start, end, tuple(path), question)
            for kind, start, end, path, question in data["blocks"]
        )
        return cls(data["title"], data["text"], blocks, data["skipped_rows"])


class DocumentBuilder:
    """Puts a document together block by block; every text is cleaned on its way in, so offsets are final."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._headings: list[tuple[int, str]] = []  # (level, text) from the outermost inwards
        self._first_headings: dict[int, str] = {}  # by level

    def heading(self, text: str, level: int) -> None:
        """A heading closes every open one of its own level or deeper. Level 1 is the outermost."""
        cleaned = clean_inline(text)
        if not cleaned:
            return
        if len(cleaned.split()) > _MAX_HEADING_WORDS:
            self.add(BlockKind.PARAGRAPH, cleaned)
            return
        self.end_sections(level)
        self._append(BlockKind.HEADING, cleaned, None)
        self._headings.append((level, cleaned))
        self._first_headings.setdefault(level, cleaned)

    @property
    def has_words(self) -> bool:
        return any(character.isalnum() for part in self._parts for character in part)

    def first_heading(self, level: int = 1) -> str | None:
        return self._first_headings.get(level)

    def end_sections(self, level: int) -> None:
        """Close the headings of this level or deeper: what follows does not belong to them."""
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()

    def add(self, kind: BlockKind, text: str, *, keep_lines: bool = False, question: str | None = None) -> None:
        """Text without anything visible in it adds nothing."""
        cleaned = clean_lines(text) if keep_lines else clean_inline(text)
        if cleaned:
            self._append(kind, cleaned, question)

    def build(self, source: str, titles: Iterable[str | None] = (), *, skipped_rows: int = 0) -> ParsedDocument:
        """The title is the first of ``titles`` that says anything, or the file name without its extension."""
        cleaned = (clean_inline(title) for title in titles if title)
        title = next((title for title in cleaned if title), "") or title_from_source(source)
        text = "".join(self._parts)
        return ParsedDocument(title[:_MAX_TITLE_CHARACTERS], text, tuple(self._blocks), skipped_rows)

    def _append(self, kind: BlockKind, text: str, question: str | None) -> None:
        separator = self._separator(kind)
        start = self._length + len(separator)
        self._parts += (separator, text)
        self._length = start + len(text)
        path = tuple(heading for _, heading in self._headings)
        self._blocks.append(Block(kind, start, self._length, path, question))

    def _separator(self, kind: BlockKind) -> str:
        if not self._blocks:
            return ""
        previous = self._blocks[-1].kind
        if previous is BlockKind.QUESTION and kind is BlockKind.ANSWER:
            return "\n"
        # A blank line ends a sentence, so list items without a full stop keep apart.
        ended = kind is BlockKind.CODE or self._parts[-1][-1] in _SENTENCE_STOPS
        return "\n" if kind is previous and kind in _CLOSE_KINDS and ended else "\n\n"


def title_from_source(source: str) -> str:
    """``docs/bulb-club_2026.txt`` gives ``Bulb club 2026``."""
    stem = clean_inline(PurePath(source.replace("\\", "/")).stem.replace("_", " ").replace("-", " "))
    return (stem[:1].upper() + stem[1:]) or "Untitled"
