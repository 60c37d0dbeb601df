"""Deleting documents for good: the ledger's rows, and the uploaded bytes that nobody else has."""

from __future__ import annotations

from api.bootstrap import Services
from domain.documents import Document

_PAGE = 1000
_ABANDONED_AFTER = 3600.0  # seconds; an upload enters its document right after its blob


def delete_document(services: Services, document_id: str) -> Document:
    """
    Raises:
        DocumentNotFound
    """
    document = services.documents.delete(document_id)
    drop_blob(services, document.sha256)
    return document


def delete_collection(services: Services, collection: str) -> int:
    """Delete every document of the collection; returns how many."""
    hashes = _blob_hashes(services, collection)
    deleted = services.documents.delete_collection(collection)
    for sha256 in hashes:
        drop_blob(services, sha256)
    return deleted


def drop_blob(services: Services, sha256: str) -> None:
    """Delete uploaded bytes unless a document's newest version has them."""
    # An upload of the same bytes at this very moment can lose its blob; its document then fails and says so.
    if not services.documents.is_blob_used(sha256):
        services.blobs.delete(sha256)


def sweep(services: Services) -> None:
    """Remove what killed processes left: half-written files and folders, and bytes whose document was never entered."""
    services.blobs.sweep()
    services.artifacts.sweep()
    for sha256 in services.blobs.list_older(_ABANDONED_AFTER):
        drop_blob(services, sha256)


def _blob_hashes(services: Services, collection: str) -> set[str]:
    hashes: set[str] = set()
    offset = 0
    while page := services.documents.list_documents(collection=collection, limit=_PAGE, offset=offset):
        hashes.update(document.sha256 for document in page)
        offset += len(page)
    return hashes
