from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import EmptyFile
from ingest.parsed import BlockKind
from tests.ingest.samples import parsed

WRAPPED = """RETURNS POLICY

You can return an item within 30 days of delivery if
it has not been used. Send it back in its own box.


Costs

- Lamps below 2 kg go back free of charge, whatever
  the reason may be.
- Heavier lamps cost 9.90 EUR

1. Print the label.
2. Hand in the parcel.
"""


def test_wrapped_lines_are_joined_and_headings_found(tmp_path: Path) -> None:
    document = parsed(tmp_path, "returns.txt", WRAPPED)
    texts = [document.text[b.start : b.end] for b in document.blocks]
    assert document.title == "RETURNS POLICY"
    assert "You can return an item within 30 days of delivery if it has not been used. Send it back" in document.text
    assert "Lamps below 2 kg go back free of charge, whatever the reason may be." in texts
    assert "2. Hand in the parcel." in texts
    item = next(b for b in document.blocks if b.kind is BlockKind.LIST_ITEM)
    assert item.heading_path == ("RETURNS POLICY", "Costs")


def test_items_without_full_stop_stay_separate_sentences(tmp_path: Path) -> None:
    document = parsed(tmp_path, "sizes.txt", "Sizes:\n- 5 kg bag\n- 10 kg bag\n")
    assert document.text == "Sizes:\n\n5 kg bag\n\n10 kg bag"


def test_columns_made_with_spaces_become_rows(tmp_path: Path) -> None:
    document = parsed(
        tmp_path,
        "plans.txt",
        "Our plans.\n\n  Plan     Bulbs   Price\n  Small    4       26 EUR\n  Large    12      66 EUR\n",
    )
    assert document.text.endswith("Plan: Small; Bulbs: 4; Price: 26 EUR.\nPlan: Large; Bulbs: 12; Price: 66 EUR.")


def test_underlined_line_is_a_heading(tmp_path: Path) -> None:
    document = parsed(tmp_path, "a.txt", "Guide\n=====\nRead this first.\n")
    assert [b.kind for b in document.blocks] == [BlockKind.HEADING, BlockKind.PARAGRAPH]
    assert document.blocks[1].heading_path == ("Guide",)


def test_utf16_text_is_read(tmp_path: Path) -> None:
    assert parsed(tmp_path, "a.txt", "Öffnung um neun.".encode("utf-16")).text == "Öffnung um neun."


def test_title_falls_back_to_the_file_name(tmp_path: Path) -> None:
    assert parsed(tmp_path, "bulb-club_terms.txt", "It costs 5 EUR a month.").title == "Bulb club terms"


def test_punctuation_alone_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(EmptyFile):
        parsed(tmp_path, "a.txt", "--- ... !!! \n***\n")


def test_huge_single_line_is_read(tmp_path: Path) -> None:
    line = "The lamp costs 30. It is sold in 12 colours no. 7 included. " * 20_000
    assert len(parsed(tmp_path, "log.txt", line).text) == len(line) - 1


PASTED = """How do I report a stolen parcel?
Tell us within five days. We ask the carrier first and send a new parcel once the search has ended.

Trade customers
Companies with a trade account write to their own contact and receive a new invoice on the same day.

Our address:
Quayside 4 is where the showroom is, and the parcels leave from a warehouse on the edge of the town.

Harbour Lights Ltd
12 Quayside
Port Ellery
"""


def test_a_line_right_above_its_text_is_a_heading(tmp_path: Path) -> None:
    document = parsed(tmp_path, "parcels.txt", PASTED)
    headings = [document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.HEADING]
    assert headings == ["How do I report a stolen parcel?", "Trade customers"]
    assert document.blocks[1].heading_path == ("How do I report a stolen parcel?",)
    assert document.title == "Parcels"


def test_a_wrapped_first_line_is_no_heading(tmp_path: Path) -> None:
    text = "Parcels that weigh more than thirty kilos travel with\nBorealis Freight and reach you in about six days.\n"
    assert [b.kind for b in parsed(tmp_path, "a.txt", text).blocks] == [BlockKind.PARAGRAPH]
