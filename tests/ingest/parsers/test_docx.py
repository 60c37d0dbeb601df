from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import docx
import pytest

from domain.errors import DocumentUnreadable
from tests.ingest.samples import bomb_docx, manual_docx, parsed


def test_order_headings_tables_and_lists(tmp_path: Path) -> None:
    document = parsed(tmp_path, "showroom.docx", manual_docx())
    assert document.title == "Showroom"
    assert document.text.split("\n\n") == [
        "Showroom",
        "Opening hours",
        "Day: Monday; Hours: closed.\nDay: Saturday; Hours: 10:00 to 17:00.",
        "Ring the bell at the gate.",
        "Parking",
        "Two spaces for bicycles",
        "Eight spaces for cars",
        "You can see this.",
    ]
    assert document.blocks[-1].heading_path == ("Showroom", "Opening hours", "Parking")


def test_hidden_run_is_dropped(tmp_path: Path) -> None:
    assert "banana" not in parsed(tmp_path, "showroom.docx", manual_docx()).text


def test_merged_cells_and_nested_tables_are_said_once_each(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=3, cols=3)
    for row, texts in enumerate((("Zone", "Day", "Night"), ("A", "5 EUR", "7 EUR"), ("", "6 EUR", "8 EUR"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    buffer = io.BytesIO()
    document.save(buffer)
    text = parsed(tmp_path, "a.docx", buffer.getvalue()).text
    assert text == "Zone: A; Day: 5 EUR; Night: 7 EUR.\nZone: A; Day: 6 EUR; Night: 8 EUR."


def test_inserted_text_is_read_and_deleted_text_is_not(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Returns take ")
    for tag, run_text, text_tag in (("del", "14", "delText"), ("ins", "30", "t")):
        change = paragraph._p.makeelement(f"{{{paragraph._p.nsmap['w']}}}{tag}")
        run = paragraph.add_run(run_text)._r
        run[-1].tag = f"{{{paragraph._p.nsmap['w']}}}{text_tag}"
        change.append(run)
        paragraph._p.append(change)
    paragraph.add_run(" days.")
    buffer = io.BytesIO()
    document.save(buffer)
    assert parsed(tmp_path, "a.docx", buffer.getvalue()).text == "Returns take 30 days."


def test_core_title_is_used_when_there_is_no_heading(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("We ship on Mondays.")
    document.core_properties.title = "Shipping terms"
    buffer = io.BytesIO()
    document.save(buffer)
    assert parsed(tmp_path, "a.docx", buffer.getvalue()).title == "Shipping terms"


def test_broken_documents_are_refused_with_a_way_out(tmp_path: Path) -> None:
    plain_zip = io.BytesIO()
    with zipfile.ZipFile(plain_zip, "w") as archive:
        archive.writestr("a.txt", "hello")
    for content in (b"PK\x03\x04" + b"x" * 500, manual_docx()[:5000], plain_zip.getvalue()):
        with pytest.raises(DocumentUnreadable, match=r"save it as \.docx again"):
            parsed(tmp_path, "a.docx", content)


def test_zip_bomb_is_refused_before_it_is_expanded(tmp_path: Path) -> None:
    bomb = bomb_docx()
    started = time.process_time()
    with pytest.raises(DocumentUnreadable, match="would expand to 300 MB"):
        parsed(tmp_path, "bomb.docx", bomb)
    assert time.process_time() - started < 1.0


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP-SECRET")
    source = zipfile.ZipFile(io.BytesIO(manual_docx()))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            data = source.read(name)
            if name == "word/document.xml":
                declaration = f'<!DOCTYPE x [<!ENTITY leak SYSTEM "{secret.as_uri()}">]>'.encode()
                head, _, body = data.partition(b"?>")
                data = head + b"?>" + declaration + body.replace(b"Ring the bell", b"Ring &leak; the bell")
            archive.writestr(name, data)
    assert "TOP-SECRET" not in parsed(tmp_path, "a.docx", target.getvalue()).text
