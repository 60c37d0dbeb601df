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


def test_passage_never_crosses_a_heading() -> None:
    builder = DocumentBuilder()
    builder.heading("Returns", 1)
    builder.add(BlockKind.PARAGRAPH, "Thirty days.")
    builder.heading("Costs", 2)
    builder.add(BlockKind.PARAGRAPH, "Nothing.")
    assert [(p.heading_path, p.text) for p in _split(builder)] == [
        (("Returns",), "Thirty days."),
        (("Returns", "Costs"), "Nothing."),
    ]


def test_equal_headings_in_a_row_stay_apart() -> None:
    builder = DocumentBuilder()
    for text in ("One.", "Two."):
        builder.heading("Note", 1)
        builder.add(BlockKind.PARAGRAPH, text)
    assert [p.text for p in _split(builder)] == ["One.", "Two."]


def test_heading_that_nothing_follows_is_kept_as_text() -> None:
    builder = DocumentBuilder()
    builder.heading("Contact", 1)
    builder.heading("Telephone 020 912", 2)
    builder.heading("Mail help@example", 2)
    passages = _split(builder)
    assert [(p.heading_path, p.text) for p in passages] == [(("Contact",), "Telephone 020 912\n\nMail help@example")]


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

    before, after = ids("One.", "Two.", "One."), ids("New.", "One.", "Two.", "One.")
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
