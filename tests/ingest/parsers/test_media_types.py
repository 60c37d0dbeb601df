from __future__ import annotations

import pytest

from domain.errors import DocumentUnreadable, EmptyFile, UnsupportedFileType
from ingest.parsers import SUPPORTED_EXTENSIONS, detect_media_type


def test_extension_and_bytes_agree() -> None:
    assert detect_media_type("Guide.PDF", b"%PDF-1.7\n...") == "application/pdf"
    assert detect_media_type("a/b/faq.csv", b"question,answer\n") == "text/csv"
    assert detect_media_type("notes.txt", "\ufeffhallo".encode("utf-16-le")) == "text/plain"


def test_program_renamed_to_pdf_is_refused_with_the_list_of_types() -> None:
    with pytest.raises(UnsupportedFileType) as caught:
        detect_media_type("invoice.pdf", b"MZ\x90\x00\x03\x00")
    assert "Windows program" in caught.value.detail
    assert all(extension in caught.value.remedy for extension in SUPPORTED_EXTENSIONS)


@pytest.mark.parametrize("name", ["photo.jpeg", "archive.zip", "README", ".pdf.exe", "slides.pptx"])
def test_unknown_extension_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedFileType, match="not a supported type"):
        detect_media_type(name, b"whatever")


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"%PDF-1.4", b"\x89PNG\r\n", b"a\x00\x01\x02b", b"\x7fELF"])
def test_binary_content_under_a_text_name_is_refused(head: bytes) -> None:
    with pytest.raises(UnsupportedFileType, match="its content is"):
        detect_media_type("notes.md", head)


@pytest.mark.parametrize("head", [b"", b" \r\n\t \n", b"\xef\xbb\xbf", "\ufeff \n".encode("utf-16-le")])
def test_empty_or_blank_file_is_refused(head: bytes) -> None:
    with pytest.raises(EmptyFile):
        detect_media_type("notes.txt", head)


def test_password_protected_word_file_says_so() -> None:
    with pytest.raises(DocumentUnreadable, match="password"):
        detect_media_type("contract.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 100)


def test_text_that_begins_like_a_program_is_still_text() -> None:
    assert detect_media_type("m.txt", b"MZ is the customs code of Mozambique.") == "text/plain"
