"""From blocks to passages: whole sentences under one heading path, near the target length, never above the limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from domain.documents import MAX_PASSAGE_WORDS, Passage
from domain.ids import passage_id
from domain.text import Span, count_words, restricts, sentence_spans, word_spans
from ingest.parsed import Block, BlockKind, ParsedDocument
from ingest.settings import IngestSettings

MAX_PASSAGE_CHARACTERS = 4000  # 20 a word: bounds a "word" of base64 or a line of dashes
_WINDOW = 20_000  # characters searched for sentences at once, so that one huge line costs linear time
_SHORTEST_TAIL = 0.25  # of the target: a shorter rest joins the passage before it


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, a table row, or a part of one that is too long. ``block_words`` is set on a block's first unit."""

    span: Span
    words: int
    restricts: bool = False
    block_words: int = 0


@dataclass(frozen=True, slots=True)
class _Section:
    """Neighbouring blocks that may share a passage."""

    heading_path: tuple[str, ...]
    question: str | None
    blocks: tuple[Block, ...]


def split(parsed: ParsedDocument, document_id: str, version: int, settings: IngestSettings) -> list[Passage]:
    """Passages in reading order; each is ``parsed.text[start_char:end_char]``.

    A FAQ answer is one passage unless it exceeds the limit; table rows stay whole; a heading that nothing follows
    counts as text, so that no word of the document is lost.
    """
    passages: list[Passage] = []
    seen: Counter[str] = Counter()
    for section in _sections(parsed):
        units = [unit for block in section.blocks for unit in _units(parsed.text, block)]
        target = settings.target_passage_words
        if section.question is not None and sum(unit.words for unit in units) <= MAX_PASSAGE_WORDS:
            target = MAX_PASSAGE_WORDS
        for span in _gather(units, target):
            text = span.of(parsed.text)
            identifier = passage_id(document_id, text, seen[text])
            seen[text] += 1
            passages.append(
                Passage(
                    passage_id=identifier,
                    document_id=document_id,
                    version=version,
                    ordinal=len(passages),
                    start_char=span.start,
                    end_char=span.end,
                    text=text,
                    heading_path=section.heading_path,
                    question=section.question,
                )
            )
    return passages


def _sections(parsed: ParsedDocument) -> Iterator[_Section]:
    for _, group in groupby(_body(parsed), key=lambda item: item[0]):
        blocks = tuple(block for _, block in group)
        yield _Section(blocks[0].heading_path, blocks[0].question, blocks)


def _body(parsed: ParsedDocument) -> Iterator[tuple[int, Block]]:
    """(section number, block) of every block whose words stand in no heading path and no question.

    A heading or a question opens a section; a heading with nothing below it is body text itself.
    """
    section = 0
    path: tuple[str, ...] = ()
    for index, block in enumerate(parsed.blocks):
        if block.kind is BlockKind.QUESTION or (block.kind is BlockKind.HEADING and _has_body(parsed, index)):
            section += 1
            continue
        if block.heading_path != path:
            section, path = section + 1, block.heading_path
        yield section, block


def _has_body(parsed: ParsedDocument, index: int) -> bool:
    heading = parsed.blocks[index]
    path = (*heading.heading_path, parsed.text[heading.start : heading.end])
    following = parsed.blocks[index + 1 : index + 2]
    return bool(following) and following[0].heading_path[: len(path)] == path


def _units(text: str, block: Block) -> list[_Unit]:
    units: list[_Unit] = []
    if block.kind is BlockKind.TABLE_ROW:
        units = list(_cut(text, Span(block.start, block.end)))
    if len(units) != 1:  # not a row, or one that is too long to stay whole
        units = [unit for span in _sentences(text, block.start, block.end) for unit in _cut(text, span)]
    if not units:
        return []
    return [replace(units[0], block_words=sum(unit.words for unit in units)), *units[1:]]


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        window_end = min(end, start + _WINDOW)
        found = [Span(start + s.start, start + s.end) for s in sentence_spans(text[start:window_end])]
        if window_end < end and len(found) > 1:
            window_end = found.pop().start  # its end may lie beyond the window
        yield from found
        start = window_end


def _cut(text: str, span: Span) -> Iterator[_Unit]:
    """The span itself when it fits into a passage, else equal parts cut at word borders."""
    words = word_spans(span.of(text))
    if len(words) <= MAX_PASSAGE_WORDS and span.end - span.start <= MAX_PASSAGE_CHARACTERS:
        yield _Unit(span, len(words), restricts(span.of(text)))
        return
    parts = max(1, -(-len(words) // MAX_PASSAGE_WORDS))
    size = max(1, -(-len(words) // parts))
    borders = [span.start, *(span.start + words[i].start for i in range(size, len(words), size)), span.end]
    for start, end in pairwise(borders):
        for part in _cut_characters(text, start, end):
            yield _Unit(part, count_words(part.of(text)))


def _cut_characters(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = min(end, start + MAX_PASSAGE_CHARACTERS)
        if stop < end:
            space = text.rfind(" ", start + 1, stop)
            stop = space if space > start else stop
        trimmed = text[start:stop].strip()
        if trimmed:
            begin = text.index(trimmed[0], start)
            yield Span(begin, begin + len(trimmed))
        start = stop


def _gather(units: Sequence[_Unit], target: int) -> list[Span]:
    """Fill passages up to the target; start a new one at a paragraph that would not fit into what is left.

    A sentence that restricts the one before it stays in its passage: alone, either would say something else.
    """
    groups: list[list[_Unit]] = []
    words = 0
    for unit in units:
        too_long = words + unit.words > target
        paragraph_too_long = words >= target / 2 and words + unit.block_words > target
        is_tied = unit.restricts and words + unit.words <= MAX_PASSAGE_WORDS
        is_full = (too_long or paragraph_too_long) and not is_tied
        if not groups or is_full or not _same_passage(groups[-1][0], unit):
            groups.append([])
            words = 0
        groups[-1].append(unit)
        words += unit.words
    if len(groups) > 1 and words < target * _SHORTEST_TAIL:
        both = [*groups[-2], *groups[-1]]
        if sum(unit.words for unit in both) <= MAX_PASSAGE_WORDS and _same_passage(both[0], both[-1]):
            groups[-2:] = [both]
    # A passage without a single word (a line of dashes) says nothing and cannot be found.
    return [Span(g[0].span.start, g[-1].span.end) for g in groups if any(unit.words for unit in g)]


def _same_passage(first: _Unit, last: _Unit) -> bool:
    return last.span.end - first.span.start <= MAX_PASSAGE_CHARACTERS
