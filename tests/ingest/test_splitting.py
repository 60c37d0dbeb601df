from __future__ import annotations

from domain.documents import MAX_PASSAGE_WORDS, Passage
from domain.text import count_words
from ingest.parsed import BlockKind, DocumentBuilder
from ingest.settings import IngestSettings
from ingest.splitting import MAX_PASSAGE_CHARACTERS, split

SETTINGS = IngestSettings(target_passage_words=60)


def _split(builder: DocumentBuilder, settings: IngestSettings = SETTINGS) -> list[Passage]:
    return split(builder.build("a.txt"), "doc", 3, settings)


def _sentence(words: int, name: str = "word") -> str:
    return " ".join(f"{name}{i}" for i in range(words)) + "."


def test_sentences_are_gathered_up_to_the_target_and_stay_whole() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.PARAGRAPH, " ".join(_sentence(25, name) for name in "abcd"))
    passages = _split(builder)
    assert [count_words(p.text) for p in passages] == [50, 50]
    assert [(p.ordinal, p.version) for p in passages] == [(0, 3), (1, 3)]


def _guide(words: int) -> DocumentBuilder:
    builder = DocumentBuilder()
    builder.heading("Returns", 1)
    builder.add(BlockKind.PARAGRAPH, _sentence(words, "days"))
    builder.heading("Costs", 2)
    builder.add(BlockKind.PARAGRAPH, _sentence(words, "euros"))
    return builder


def test_short_sections_share_a_passage_and_keep_their_headings_apart() -> None:
    (passage,) = _split(_guide(words=10))
    assert passage.heading_path == ("Returns",)
    assert passage.text == f"Returns\n\n{_sentence(10, 'days')}\n\nCosts\n\n{_sentence(10, 'euros')}"
    shown = [(part.heading_path, passage.text[part.start : part.end]) for part in passage.sections]
    assert shown == [(("Returns",), _sentence(10, "days")), (("Returns", "Costs"), _sentence(10, "euros"))]


def test_sections_that_do_not_fit_together_stay_apart_each_with_its_heading() -> None:
    first, second = _split(_guide(words=40))
    assert (first.heading_path, second.heading_path) == (("Returns",), ("Returns", "Costs"))
    assert second.text == f"Costs\n\n{_sentence(40, 'euros')}"
    assert [second.text[part.start : part.end] for part in second.parts] == [_sentence(40, "euros")]


def test_headings_count_towards_the_longest_passage() -> None:
    builder = DocumentBuilder()
    builder.heading("Everything on sending a parcel back to us", 1)
    builder.add(BlockKind.PARAGRAPH, " ".join(_sentence(48, name) for name in "abcdefgh"))
    passages = _split(builder, IngestSettings())
    assert max(count_words(p.text) for p in passages) <= MAX_PASSAGE_WORDS
    assert [bool(p.sections) for p in passages] == [True, False]


def test_faq_entries_never_share_a_passage() -> None:
    builder = DocumentBuilder()
    for n in range(2):
        builder.heading("Orders", 1)
        builder.add(BlockKind.QUESTION, f"Question {n}?")
        builder.add(BlockKind.ANSWER, f"Answer {n}.", question=f"Question {n}?")
    assert [(p.question, p.text, p.sections) for p in _split(builder)] == [
        ("Question 0?", "Answer 0.", ()),
        ("Question 1?", "Answer 1.", ()),
    ]


def test_equal_headings_in_a_row_are_two_sections() -> None:
    builder = DocumentBuilder()
    for text in ("One.", "Two."):
        builder.heading("Note", 1)
        builder.add(BlockKind.PARAGRAPH, text)
    (passage,) = _split(builder)
    assert [passage.text[part.start : part.end] for part in passage.sections] == ["One.", "Two."]


def test_heading_that_nothing_follows_is_kept_as_text() -> None:
    builder = DocumentBuilder()
    builder.heading("Contact", 1)
    builder.heading("Telephone 020 912", 2)
    builder.heading("Mail help@example", 2)
    passages = _split(builder)
    shown = [(part.heading_path, p.text[part.start : part.end]) for p in passages for part in p.parts]
    assert shown == [(("Contact",), "Telephone 020 912\n\nMail help@example")]


def test_paragraph_is_not_begun_where_it_would_not_fit() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.PARAGRAPH, _sentence(40, "a"))
    builder.add(BlockKind.PARAGRAPH, f"{_sentence(15, 'b')} {_sentence(15, 'c')}")
    assert [count_words(p.text) for p in _split(builder)] == [40, 30]


def test_short_rest_joins_the_passage_before_it() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.PARAGRAPH, f"{_sentence(55, 'a')} {_sentence(10, 'b')}")
    assert [count_words(p.text) for p in _split(builder)] == [65]


def test_endless_sentence_is_cut_at_word_borders_into_equal_parts() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.PARAGRAPH, _sentence(450))
    passages = _split(builder)
    assert [count_words(p.text) for p in passages] == [150, 150, 150]
    assert passages[1].text.startswith("word150 ")


def test_cjk_characters_count_as_words() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.PARAGRAPH, "退货须在三十天内办理。" * 60)
    passages = _split(builder, IngestSettings())
    assert all(count_words(p.text) <= MAX_PASSAGE_WORDS for p in passages)
    assert all(p.text.endswith("。") for p in passages)
    assert "".join(p.text for p in passages) == "退货须在三十天内办理。" * 60


def test_table_row_stays_whole_although_it_holds_full_stops() -> None:
    builder = DocumentBuilder()
    row = "Zone: A; Note: " + " ".join(_sentence(9, name) for name in "abcde")
    for _ in range(3):
        builder.add(BlockKind.TABLE_ROW, row)
    assert [p.text for p in _split(builder)] == [row, row, row]


def test_faq_answer_is_one_passage_even_above_the_target() -> None:
    builder = DocumentBuilder()
    for question in ("How long?", "How much?"):
        builder.add(BlockKind.QUESTION, question)
        builder.add(BlockKind.ANSWER, " ".join(_sentence(30, name) for name in "abcde"), question=question)
    passages = _split(builder)
    assert [(p.question, count_words(p.text)) for p in passages] == [("How long?", 150), ("How much?", 150)]


def test_long_faq_answer_is_split_and_each_part_has_the_question() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.QUESTION, "How?")
    builder.add(BlockKind.ANSWER, " ".join(_sentence(30, f"w{i}x") for i in range(10)), question="How?")
    passages = _split(builder)
    assert len(passages) == 5
    assert {p.question for p in passages} == {"How?"}


def test_repeated_text_gets_ids_of_its_own_and_edits_above_change_none() -> None:
    def ids(*paragraphs: str) -> list[str]:
        builder = DocumentBuilder()
        for paragraph in paragraphs:
            builder.heading("Same", 1)
            builder.add(BlockKind.PARAGRAPH, paragraph)
        return [p.passage_id for p in _split(builder)]

    one, two, new = (_sentence(50, name) for name in ("one", "two", "new"))
    before, after = ids(one, two, one), ids(new, one, two, one)
    assert len(set(before)) == 3
    assert after[1:] == before


def test_word_of_many_thousand_characters_is_cut_by_length() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.CODE, "a" * 10_000 + " - " + "-" * 9_000, keep_lines=True)
    passages = _split(builder)
    assert sum(p.text.count("a") for p in passages) == 10_000
    assert all(len(p.text) <= MAX_PASSAGE_CHARACTERS for p in passages)


def test_huge_single_line_is_split_in_linear_time() -> None:
    builder = DocumentBuilder()
    builder.add(
        BlockKind.PARAGRAPH, "It costs 30. See no. 7 of 12 below. " * 6_000
    )  # 200 kB; a quadratic search took minutes
    passages = _split(builder)
    assert sum(count_words(p.text) for p in passages) == 9 * 6_000


def test_restriction_stays_with_what_it_restricts() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.PARAGRAPH, f"{_sentence(30, 'a')} {_sentence(25, 'b')} However, {_sentence(20, 'c')}")
    builder.add(BlockKind.PARAGRAPH, f"But not for {_sentence(20, 'd')} {_sentence(20, 'e')}")
    assert [p.text[:2] for p in _split(builder)] == ["a0", "e0"]


def test_restriction_that_would_break_the_limit_starts_a_passage() -> None:
    builder = DocumentBuilder()
    builder.add(BlockKind.PARAGRAPH, f"{_sentence(60, 'a')} However, {_sentence(150, 'b')}")
    assert [count_words(p.text) for p in _split(builder)] == [60, 151]
