"""The sample knowledge base: an invented shop to try Answerdesk with, and its removal."""

from __future__ import annotations

from pathlib import Path

from api.bootstrap import Services
from api.deletion import delete_document
from api.uploads import read_chunks, store_upload
from domain.errors import InvalidInput
from domain.ids import sha256_hex

SAMPLE_COLLECTION = "shop"
_FOLDER = Path(__file__).resolve().parent.parent / "examples" / "shop"


def install_sample(services: Services) -> int:
    """Queue every file of the sample shop; returns how many.

    Raises:
        InvalidInput: the folder is missing, as it is outside a clone of the repository.
    """
    files = _files()
    for path in files:
        store_upload(services, path.name, read_chunks(path), SAMPLE_COLLECTION)
    return len(files)


def remove_sample(services: Services) -> int:
    """Delete the documents that still are the sample's own; returns how many. Others of the collection stay.

    Raises:
        InvalidInput: as ``install_sample``.
    """
    found = ((path, services.documents.get_by_source(SAMPLE_COLLECTION, path.name)) for path in _files())
    doomed = [
        document.document_id
        for path, document in found
        if document and document.sha256 == sha256_hex(path.read_bytes())
    ]
    for document_id in doomed:
        delete_document(services, document_id)
    return len(doomed)


def _files() -> list[Path]:
    if not _FOLDER.is_dir():
        raise InvalidInput(f"The sample shop is not at {_FOLDER}.", "Run this in a clone of the repository.")
    return sorted(path for path in _FOLDER.iterdir() if path.is_file())
