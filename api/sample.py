"""The sample knowledge base: an invented shop to try Answerdesk with, and its removal."""

from __future__ import annotations

from pathlib import Path

from api.bootstrap import Services
from api.deletion import delete_collection
from api.uploads import read_chunks, store_upload
from domain.errors import InvalidInput

SAMPLE_COLLECTION = "shop"
_FOLDER = Path(__file__).resolve().parent.parent / "examples" / "shop"


def install_sample(services: Services) -> int:
    """Queue every file of the sample shop; returns how many.

    Raises:
        InvalidInput: the folder is missing, as it is outside a clone of the repository.
    """
    if not _FOLDER.is_dir():
        raise InvalidInput(f"The sample shop is not at {_FOLDER}.", "Run this in a clone of the repository.")
    files = sorted(path for path in _FOLDER.iterdir() if path.is_file())
    for path in files:
        store_upload(services, path.name, read_chunks(path), SAMPLE_COLLECTION)
    return len(files)


def remove_sample(services: Services) -> int:
    """Delete every document of the sample shop; returns how many."""
    return delete_collection(services, SAMPLE_COLLECTION)
