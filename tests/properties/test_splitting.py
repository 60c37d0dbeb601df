"""For any text at all: offsets are exact, passages are short and in order, and no word is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.documents import MAX_PASSAGE_WORDS
from domain.text import count_words, normalise
from ingest.parsed import BlockKind, DocumentBuilder, ParsedDocument
from ingest.settings import IngestSettings
from ingest.splitting import MAX_PASSAGE_CHARACTERS, split

_PROSE = st.lists(
    st.sampled_from(
        ["word", "3.5", "e.g.", "No.", "Mr.", "end.", "Why?", "退货。", "漢字abc", "-", "\n", "\n- ", "7.", "…", "'s"]
    ),
    max_size=700,
).map(" ".join)
_TEXT = st.one_of(st.text(max_size=400), _PROSE)
_BLOCK = st.tuples(
    st.sampled_from([BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE_ROW, BlockKind.CODE, BlockKind.HEADING]),
    _TEXT,
    st.integers(1, 6),
)


def _document(blocks: list[tuple[BlockKind, str, int]]) -> ParsedDocument:
    builder = DocumentBuilder()
    for kind, text, level in blocks:
        if kind is BlockKind.HEADING:
            builder.heading(text, level)
        else:
            builder.add(kind, text, keep_lines=level % 2 == 0)
    return builder.build("a.txt")


@given(st.lists(_BLOCK, max_size=6), st.integers(20, 200))
@settings(max_examples=150, deadline=None)
def test_any_document_is_split_without_loss(blocks: list[tuple[BlockKind, str, int]], target: int) -> None:
    document = _document(blocks)
    passages = split(document, "doc", 1, IngestSettings(target_passage_words=target))
    assert normalise(document.text) == document.text
    assert [p.ordinal for p in passages] == list(range(len(passages)))
    assert len({p.passage_id for p in passages}) == len(passages)
    position = 0
    for passage in passages:
        assert passage.text == document.text[passage.start_char : passage.end_char]
        assert 0 < count_words(passage.text) <= MAX_PASSAGE_WORDS
        assert len(passage.text) <= MAX_PASSAGE_CHARACTERS
        assert passage.start_char >= position
        _assert_only_headings(document, position, passage.start_char)
        position = passage.end_char
    _assert_only_headings(document, position, len(document.text))


def _assert_only_headings(document: ParsedDocument, start: int, end: int) -> None:
    """Between two passages stand no words, except headings, which the passages below carry in their path."""
    gap = list(document.text[start:end])
    for block in document.blocks:
        if block.kind is BlockKind.HEADING and start <= block.start and block.end <= end:
            gap[block.start - start : block.end - start] = " " * (block.end - block.start)
            heading = document.text[block.start : block.end]
            below = [b for b in document.blocks if b.start > block.start and heading in b.heading_path]
            assert below or count_words(heading) == 0
    assert count_words("".join(gap)) == 0
