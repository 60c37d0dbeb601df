"""Which kind of file this is, by its extension and by its first bytes: both have to agree."""

from __future__ import annotations

import codecs
from pathlib import PurePath

from domain.errors import DocumentUnreadable, EmptyFile, UnsupportedFileType

PLAIN_TEXT = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/x-ndjson"

_BY_EXTENSION = {
    ".txt": PLAIN_TEXT,
    ".text": PLAIN_TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".pdf": PDF,
    ".docx": DOCX,
    ".csv": CSV,
    ".tsv": CSV,
    ".json": JSON,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
}
SUPPORTED_EXTENSIONS: tuple[str, ...] = tuple(_BY_EXTENSION)
SUPPORTED_TYPES_REMEDY = f"Supported file types: {', '.join(SUPPORTED_EXTENSIONS)}."

_SNIFFED_BYTES = 65536  # a head shorter than this is the whole file
_PDF_HEADER_WITHIN = 1024  # readers accept junk before "%PDF-" up to here
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_UNICODE_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
# First bytes of well-known binary formats, https://www.iana.org/assignments/media-types and the formats' own pages.
_BINARY_KINDS = {
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"%PDF-": "a PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x1f\x8b": "a gzip archive",
    b"{\\rtf": "a rich text document",
    _OLE: "an old Microsoft Office document",
}


def detect_media_type(source: str, head: bytes) -> str:
    """The media type of a file named ``source`` that starts with ``head`` (its first 64 KiB, or all of it).

    Raises:
        EmptyFile: no bytes, or nothing but white space.
        UnsupportedFileType: an extension that no parser reads, or bytes of another kind than the extension says.
        DocumentUnreadable: a password-protected or old Word document under the name ``.docx``.
    """
    if not head or (len(head) < _SNIFFED_BYTES and not head.strip(b" \t\r\n\f\v\x00\xef\xbb\xbf\xff\xfe")):
        raise EmptyFile(f"{source} is empty.", "Upload a file with text in it.")
    extension = PurePath(source.replace("\\", "/")).suffix.lower()
    media_type = _BY_EXTENSION.get(extension)
    if media_type is None:
        kind = f'the extension "{extension}"' if extension else "no extension"
        raise UnsupportedFileType(f"{source} has {kind}, which is not a supported type.", SUPPORTED_TYPES_REMEDY)
    if media_type == DOCX and head.startswith(_OLE):
        raise DocumentUnreadable(
            f"{source} is protected with a password, or is an old .doc file under a new name.",
            "Remove the password and save it as a Word document (.docx).",
        )
    if not _bytes_agree(media_type, head):
        kind = _describe(head)
        raise UnsupportedFileType(f"{source} is named {extension} but its content is {kind}.", SUPPORTED_TYPES_REMEDY)
    return media_type


def _bytes_agree(media_type: str, head: bytes) -> bool:
    if media_type == PDF:
        return b"%PDF-" in head[:_PDF_HEADER_WITHIN]
    if media_type == DOCX:
        return head.startswith(b"PK\x03\x04")
    if head.startswith(_UNICODE_MARKS):
        return True
    return b"\x00" not in head and not any(head.startswith(magic) for magic in _BINARY_KINDS if magic != b"MZ")


def _describe(head: bytes) -> str:
    for magic, kind in _BINARY_KINDS.items():
        if head.startswith(magic):
            return kind
    return "binary data" if b"\x00" in head else "something else"
