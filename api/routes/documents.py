"""Documents: upload, ledger, text, passages, retry, deletion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from api.auth import FOR_CUSTOMERS, FOR_STAFF
from api.deletion import delete_collection, delete_document
from api.errors import RequestTooLarge
from api.multipart import UploadReceiver
from api.routes.dependencies import Id, ServicesDep
from api.schemas import (
    MAX_INTEGER,
    AcceptedDocument,
    CollectionDeletedView,
    CollectionName,
    DocumentListView,
    DocumentPassagesView,
    DocumentTextView,
    DocumentView,
    JobView,
    PassageView,
    UploadView,
)
from domain.documents import Document, DocumentStatus
from domain.errors import FileTooLarge
from domain.jobs import Job

router = APIRouter()


@router.post("/v1/documents", status_code=202, dependencies=[FOR_STAFF])
async def upload(request: Request, services: ServicesDep) -> UploadView:
    with UploadReceiver(services, request.headers.get("content-type", "")) as receiver:
        declared = _declared_size(request)
        if declared is not None and declared > receiver.max_bytes:
            raise _too_large(receiver.max_bytes)
        chunks = request.stream()
        try:
            await _receive(chunks, receiver)
        except (FileTooLarge, RequestTooLarge):
            if declared is not None:
                await _read_rest(chunks)
            raise
        accepted = await run_in_threadpool(receiver.accept)
    return UploadView(documents=[_accepted(document, job) for document, job in accepted])


@router.get("/v1/documents", dependencies=[FOR_STAFF])
def list_documents(
    services: ServicesDep,
    collection: Annotated[CollectionName | None, Query()] = None,
    status: Annotated[DocumentStatus | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    offset: Annotated[int, Query(ge=0, le=MAX_INTEGER)] = 0,
) -> DocumentListView:
    documents = services.documents.list_documents(collection=collection, status=status, limit=limit, offset=offset)
    return DocumentListView(
        documents=[DocumentView.from_domain(document) for document in documents],
        total=services.documents.count_documents(collection=collection, status=status),
        revision=services.documents.revision(),
    )


@router.get("/v1/documents/{document_id}", dependencies=[FOR_STAFF])
def show(document_id: Id, services: ServicesDep) -> DocumentView:
    return DocumentView.from_domain(services.documents.get(document_id))


@router.delete("/v1/documents/{document_id}", dependencies=[FOR_STAFF])
def delete(document_id: Id, services: ServicesDep) -> DocumentView:
    return DocumentView.from_domain(delete_document(services, document_id))


@router.delete("/v1/collections/{collection}", dependencies=[FOR_STAFF])
def remove_collection(collection: Annotated[CollectionName, Path()], services: ServicesDep) -> CollectionDeletedView:
    deleted = delete_collection(services, collection)
    return CollectionDeletedView(collection=collection, deleted=deleted)


@router.post("/v1/documents/{document_id}/retry", status_code=202, dependencies=[FOR_STAFF])
def retry(document_id: Id, services: ServicesDep) -> AcceptedDocument:
    return _accepted(*services.documents.retry(document_id))


@router.get("/v1/documents/{document_id}/passages", dependencies=[FOR_STAFF])
def passages(document_id: Id, services: ServicesDep) -> DocumentPassagesView:
    document = services.documents.get(document_id)
    found = services.documents.passages(document_id)
    return DocumentPassagesView(
        document_id=document_id, passages=[PassageView.from_passage(passage, document) for passage in found]
    )


@router.get("/v1/documents/{document_id}/text", dependencies=[FOR_CUSTOMERS])
def text(
    document_id: Id,
    services: ServicesDep,
    version: Annotated[int | None, Query(ge=1, le=MAX_INTEGER)] = None,
) -> DocumentTextView:
    """The text that quotes point into. A deleted document has none; one that never became ready has none yet."""
    return DocumentTextView.from_domain(services.documents.version(document_id, version))


def _accepted(document: Document, job: Job | None) -> AcceptedDocument:
    return AcceptedDocument(
        document=DocumentView.from_domain(document), job=JobView.from_domain(job) if job is not None else None
    )


async def _receive(chunks: AsyncIterator[bytes], receiver: UploadReceiver) -> None:
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > receiver.max_bytes:
            raise _too_large(receiver.max_bytes)
        await run_in_threadpool(receiver.feed, chunk)


async def _read_rest(chunks: AsyncIterator[bytes]) -> None:
    """Or a browser that is still sending would see a broken connection instead of the reason."""
    async for _ in chunks:
        pass


def _declared_size(request: Request) -> int | None:
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else None


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The upload is larger than {limit / 2**20:.4g} MB.", "Send the files in several requests.")
