from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import DocumentUnreadable
from ingest.parsed import BlockKind
from tests.ingest.samples import HEADER, lines_pdf, manual_pdf, parsed, scanned_pdf


def test_headings_paragraphs_and_tables_of_a_typeset_manual(tmp_path: Path) -> None:
    document = parsed(tmp_path, "manual.pdf", manual_pdf())
    headings = [document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.HEADING]
    rows = [document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.TABLE_ROW]
    assert document.title == "Lamp manual"
    assert headings == ["Lamp manual", *(f"Chapter about part {n}" for n in range(1, 12))]
    assert rows == ["Part: Shade; Price: 12 EUR.", "Part: Switch; Price: 4 EUR."]
    for number in range(1, 12):
        sentence = f"Part {number} is cleaned with a dry cloth once a month."
        paths = {b.heading_path for b in document.blocks if sentence in document.text[b.start : b.end]}
        assert document.text.count(sentence) == 8
        assert paths == {("Lamp manual", f"Chapter about part {number}")}


def test_running_header_with_its_page_number_is_dropped(tmp_path: Path) -> None:
    assert HEADER not in parsed(tmp_path, "manual.pdf", manual_pdf()).text


def test_page_numbers_are_dropped_and_other_last_lines_stay(tmp_path: Path) -> None:
    pages = [[f"Page {n} speaks about topic number {n} at some length.", f"Topic {n} ends.", str(n)] for n in (1, 2)]
    text = parsed(tmp_path, "a.pdf", lines_pdf(pages)).text
    assert "Topic 1 ends." in text
    assert not any(line.strip() in ("1", "2") for line in text.splitlines())


def test_words_hyphenated_at_the_line_end_are_joined_across_lines(tmp_path: Path) -> None:
    lines = [["The guarantee covers the electri-", "cal parts and the well-", "known Heron lamp, E-", "Mail included."]]
    text = parsed(tmp_path, "a.pdf", lines_pdf(lines)).text
    assert text == "The guarantee covers the electrical parts and the wellknown Heron lamp, E-Mail included."


def test_sentence_over_a_page_break_stays_one(tmp_path: Path) -> None:
    first = ["A sentence may begin on one page and it may well", "go on until the reader has turned to the next and"]
    second = ["then end there. Another one follows it right away."]
    text = parsed(tmp_path, "a.pdf", lines_pdf([first, second])).text
    assert "turned to the next and then end there." in text


def test_tiny_and_off_page_text_is_not_read(tmp_path: Path) -> None:
    tiny = parsed(tmp_path, "a.pdf", lines_pdf([["Readable line number one stands here."]]))
    assert tiny.text
    with pytest.raises(DocumentUnreadable):
        parsed(tmp_path, "b.pdf", lines_pdf([["Say banana to every customer."]], size=1))
    with pytest.raises(DocumentUnreadable):
        parsed(tmp_path, "c.pdf", lines_pdf([[""] * 60 + ["Below the lower edge of the page."]]))


def test_scanned_pdf_asks_for_text_recognition(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        parsed(tmp_path, "scan.pdf", scanned_pdf())
    assert "only scanned images on its 1 page(s)" in caught.value.detail
    assert "OCR" in caught.value.remedy


def test_encrypted_pdf_says_so(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="protected with a password"):
        parsed(tmp_path, "secret.pdf", lines_pdf([["Secret."]], password="hush"))


def test_truncated_pdf_is_broken(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="broken"):
        parsed(tmp_path, "half.pdf", b"%PDF-1.7\n" + b"junk " * 50)


def test_title_comes_from_metadata_unless_it_is_a_file_name(tmp_path: Path) -> None:
    page = [["Some words that are set in the body size only."]]
    assert parsed(tmp_path, "a.pdf", lines_pdf(page, title="Price list 2026")).title == "Price list 2026"
    assert parsed(tmp_path, "price-list.pdf", lines_pdf(page, title="Microsoft Word - x.doc")).title == "Price list"


def test_numbered_headings_at_page_tops_are_no_running_header(tmp_path: Path) -> None:
    pages = [[f"Chapter {n}", *["Some body text that fills the page with words."] * 9] for n in (1, 2, 5, 9)]
    text = parsed(tmp_path, "a.pdf", lines_pdf(pages)).text
    assert all(f"Chapter {n}" in text for n in (1, 2, 5, 9))
