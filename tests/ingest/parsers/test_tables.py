from __future__ import annotations

import pytest

from domain.text import is_table_row, sentences
from ingest.parsers.tables import looks_like_header, render_row


@pytest.mark.parametrize(
    ("cells", "header", "line"),
    [
        (
            ["Europe", "9.90 EUR", "3-5 days."],
            ["Zone", "Price", "Time"],
            "Zone: Europe; Price: 9.90 EUR; Time: 3-5 days.",
        ),
        (["Europe", "", "late"], ["Zone:", "Price", ""], "Zone: Europe; late."),
        (["Weight", "5 kg"], None, "Weight: 5 kg."),
        (["Weight:", "5 kg"], None, "Weight: 5 kg."),
        (["Small", "4 bulbs", "26 EUR"], None, "Small: 4 bulbs; 26 EUR."),
        (["Is it safe", "Yes!"], ["Question", "Reply"], "Question: Is it safe; Reply: Yes!"),
        (["a", "b", "c"], ["A"], "A: a; b; c."),
        (["alone", ""], None, "alone"),
        (["", ""], ["A", "B"], ""),
    ],
)
def test_row_is_one_sentence(cells: list[str], header: list[str] | None, line: str) -> None:
    assert render_row(cells, header) == line


def test_header_is_recognised_by_its_looks() -> None:
    assert looks_like_header([["Plan", "Price"], ["Small", "26 EUR"]])
    assert not looks_like_header([["Small", "26 EUR"], ["Large", "48 EUR"]])
    assert not looks_like_header([["Weight", "heavy"], ["Colour", "red"]])
    assert not looks_like_header([["Plan", "Plan"], ["Small", "26 EUR"]])
    assert not looks_like_header([["Plan", "Price"]])


def test_short_row_stays_one_sentence_whatever_its_cells_hold() -> None:
    row = render_row(["Otter", "Portable. Works outdoors! Is it loud? No.", "€89"], ["Name", "Notes", "Price"])
    assert row == "Name: Otter; Notes: Portable; Works outdoors!; Is it loud?; No; Price: €89."
    assert sentences(row) == [row]


def test_long_row_keeps_its_sentences() -> None:
    row = render_row(["Otter", "It works outdoors. " * 30, "€89"], ["Name", "Notes", "Price"])
    assert len(sentences(row)) == 31


def test_row_is_known_as_one_by_those_who_read_it() -> None:
    assert is_table_row(render_row(["Monday", "9:00 to 12:00", ""], ["Day", "Hours", "Remarks"]))
    assert is_table_row(render_row(["A", "Ireland, Malta", "€4.90"], ["Zone", "Countries", "Price"]))
    assert not is_table_row("Bring two things: a ticket and a friend; nothing else.")
    assert not is_table_row("We are open. Day: Monday; Hours: 9:00 to 12:00.")
    assert not is_table_row("We are closed.")
