from __future__ import annotations

import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from domain.errors import DocumentUnreadable, EmptyFile
from ingest.guarded import parse_guarded
from ingest.parsers import parse
from ingest.parsers.media_types import CSV, DOCX, HTML, MARKDOWN, PDF, PLAIN_TEXT
from ingest.settings import IngestSettings
from tests.ingest.samples import manual_docx, manual_pdf

SETTINGS = IngestSettings()
GUIDE = "# Guide\n\nÖl — 退货 🔧\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("a.pdf", PDF, manual_pdf()),
        ("a.docx", DOCX, manual_docx()),
        ("a.md", MARKDOWN, GUIDE.encode()),
        ("a.csv", CSV, b"question,answer\nA?,Yes.\nB?,\n"),
    ],
)
def test_child_gives_what_the_parser_gives(tmp_path: Path, name: str, media_type: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert parse_guarded(path, media_type, name, SETTINGS) == parse(path, media_type, name)


def test_reasons_pass_through_the_child_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("...")
    with pytest.raises(EmptyFile, match=r"a\.txt holds no text"):
        parse_guarded(path, PLAIN_TEXT, "a.txt", SETTINGS)


def test_document_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.html"
    path.write_bytes(b"<p>x</p>" * 2_000_000)
    with pytest.raises(DocumentUnreadable):
        parse_guarded(path, HTML, "big.html", IngestSettings(parse_memory_mb=160))


def test_document_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "slow.pdf"
    path.write_bytes(_flate_bomb(pages=4000))
    started = time.monotonic()
    with pytest.raises(DocumentUnreadable, match="took longer than 1 seconds"):
        parse_guarded(path, PDF, "slow.pdf", IngestSettings(parse_seconds=1))
    assert time.monotonic() - started < 12


def test_crash_of_the_parser_is_a_reason_and_not_a_crash_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="FileNotFoundError"):
        parse_guarded(tmp_path / "gone.txt", PLAIN_TEXT, "gone.txt", SETTINGS)


def test_child_loads_neither_models_nor_database() -> None:
    code = "import ingest.parse_child, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "sqlalchemy", "pydantic", "docx", "pypdfium2"} & set(run.stdout.split())


def _flate_bomb(pages: int) -> bytes:
    """Many pages that share one content stream: 20 kB on disk, 2 MB of text operators to run for each page."""
    stream = zlib.compress(b"BT /F1 9 Tf 50 700 Td " + b"(word word word) Tj " * 100_000 + b"ET")
    kids = " ".join(f"{5 + n} 0 R" for n in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>".encode(),
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 3 0 R/Resources<</Font<</F1 4 0 R>>>>>>"
    objects += [page] * pages
    body = b"%PDF-1.7\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    xref = b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
    return body + xref + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (count, len(body))
