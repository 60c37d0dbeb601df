"""From blocks to passages: whole sentences of neighbouring sections, near the target length, never above the limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from domain.documents import MAX_PASSAGE_WORDS, Passage, Section
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
    """Neighbouring blocks under the same headings. ``opened_at``: where those stand that no section before it had."""

    heading_path: tuple[str, ...]
    question: str | None
    blocks: tuple[Block, ...]
    opened_at: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """A section, or as much of it as fits into a passage. ``start`` is that of the headings right above ``body``."""

    section: _Section
    start: int
    body: Span


def split(parsed: ParsedDocument, document_id: str, version: int, settings: IngestSettings) -> list[Passage]:
    """Passages in reading order; each is ``parsed.text[start_char:end_char]``.

    Short sections share a passage, with their headings between them. A FAQ answer is one passage unless it exceeds the
    limit; table rows stay whole; a heading that nothing follows counts as text. No word of the document is lost.
    """
    target = settings.target_passage_words
    drafts = [draft for section in _sections(parsed) for draft in _drafts(parsed.text, section, target)]
    passages: list[Passage] = []
    seen: Counter[str] = Counter()
    for group in _packed(parsed.text, drafts, target):
        start, end = group[0].start, group[-1].body.end
        text = parsed.text[start:end]
        passages.append(
            Passage(
                passage_id=passage_id(document_id, text, seen[text]),
                document_id=document_id,
                version=version,
                ordinal=len(passages),
                start_char=start,
                end_char=end,
                text=text,
                heading_path=_shared_path([draft.section.heading_path for draft in group]),
                question=group[0].section.question,
                sections=_passage_sections(group),
            )
        )
        seen[text] += 1
    return passages


def _drafts(text: str, section: _Section, target: int) -> Iterator[_Draft]:
    units = [unit for block in section.blocks for unit in _units(text, block)]
    if section.question is not None and sum(unit.words for unit in units) <= MAX_PASSAGE_WORDS:
        target = MAX_PASSAGE_WORDS
    above = count_words(text[section.opened_at : section.blocks[0].start])
    for place, body in enumerate(_gather(units, max(1, target - above), max(1, MAX_PASSAGE_WORDS - above))):
        yield _Draft(section, section.opened_at if place == 0 else body.start, body)


def _packed(text: str, drafts: Sequence[_Draft], target: int) -> Iterator[list[_Draft]]:
    group: list[_Draft] = []
    for draft in drafts:
        if group and not _fits(text, group, draft, target):
            yield group
            group = []
        group.append(draft)
    if group:
        yield group


def _fits(text: str, group: Sequence[_Draft], draft: _Draft, target: int) -> bool:
    if group[-1].section.question is not None or draft.section.question is not None:
        return False
    start, end = group[0].start, draft.body.end
    return end - start <= MAX_PASSAGE_CHARACTERS and count_words(text[start:end]) <= target


def _shared_path(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*paths, strict=False))
    return tuple(names[0] for names in shared)


def _passage_sections(group: Sequence[_Draft]) -> tuple[Section, ...]:
    start = group[0].start
    if len(group) == 1 and group[0].body.start == start:
        return ()
    return tuple(Section(d.body.start - start, d.body.end - start, d.section.heading_path) for d in group)


def _sections(parsed: ParsedDocument) -> Iterator[_Section]:
    """A heading or a question opens a section; a heading with nothing below it is body text itself."""
    blocks: list[Block] = []
    opened_at: int | None = None
    for index, block in enumerate(parsed.blocks):
        opens = block.kind is BlockKind.QUESTION or (block.kind is BlockKind.HEADING and _has_body(parsed, index))
        if blocks and (opens or block.heading_path != blocks[0].heading_path):
            yield _section(blocks, opened_at)
            blocks, opened_at = [], None
        if not opens:
            blocks.append(block)
        elif block.kind is BlockKind.HEADING and opened_at is None:
            opened_at = block.start
    if blocks:
        yield _section(blocks, opened_at)


def _section(blocks: Sequence[Block], opened_at: int | None) -> _Section:
    first = blocks[0]
    if opened_at is None or first.question is not None:
        opened_at = first.start
    return _Section(first.heading_path, first.question, tuple(blocks), opened_at)


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


def _gather(units: Sequence[_Unit], target: int, limit: int) -> list[Span]:
    """Fill passages up to the target; start a new one at a paragraph that would not fit into what is left.

    A sentence that restricts the one before it stays in its passage: alone, either would say something else.
    """
    groups: list[list[_Unit]] = []
    words = 0
    for unit in units:
        too_long = words + unit.words > target
        paragraph_too_long = words >= target / 2 and words + unit.block_words > target
        is_tied = unit.restricts and words + unit.words <= limit
        is_full = (too_long or paragraph_too_long) and not is_tied
        if not groups or is_full or not _same_passage(groups[-1][0], unit):
            groups.append([])
            words = 0
        groups[-1].append(unit)
        words += unit.words
    if len(groups) > 1 and words < target * _SHORTEST_TAIL:
        both = [*groups[-2], *groups[-1]]
        if sum(unit.words for unit in both) <= limit and _same_passage(both[0], both[-1]):
            groups[-2:] = [both]
    # A passage without a single word (a line of dashes) says nothing and cannot be found.
    return [Span(g[0].span.start, g[-1].span.end) for g in groups if any(unit.words for unit in g)]


def _same_passage(first: _Unit, last: _Unit) -> bool:
    return last.span.end - first.span.start <= MAX_PASSAGE_CHARACTERS
