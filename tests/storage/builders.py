"""Small documents, and the steps that a worker takes with one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from domain.documents import Document, Passage
from domain.ids import passage_id, sha256_hex
from domain.jobs import Job, JobKind
from storage.documents import DocumentStore
from storage.jobs import JobStore
from tests.fakes import HashEmbedder

EMBEDDER = HashEmbedder(dimension=16)


def upload(
    documents: DocumentStore, text: str = "Hello.", *, source: str = "faq.md", collection: str = "shop"
) -> tuple[Document, Job | None]:
    return documents.accept_upload(
        collection=collection,
        source=source,
        title=source,
        media_type="text/markdown",
        size_bytes=len(text),
        sha256=sha256_hex(text),
    )


def split(document: Document, paragraphs: Sequence[str], heading: str = "") -> tuple[str, list[Passage]]:
    """A passage a paragraph, as the splitter would do."""
    seen: Counter[str] = Counter()
    passages: list[Passage] = []
    start = 0
    for ordinal, text in enumerate(paragraphs):
        passages.append(
            Passage(
                passage_id=passage_id(document.document_id, text, seen[text]),
                document_id=document.document_id,
                version=document.version,
                ordinal=ordinal,
                start_char=start,
                end_char=start + len(text),
                text=text,
                heading_path=(heading,) if heading else (),
            )
        )
        seen[text] += 1
        start += len(text) + 2
    return "\n\n".join(paragraphs), passages


def claim(jobs: JobStore, worker: str = "worker", lease_seconds: float = 60.0) -> Job:
    job = jobs.claim([JobKind.INGEST], worker, lease_seconds)
    assert job is not None
    return job


def complete(documents: DocumentStore, job: Job, paragraphs: Sequence[str], heading: str = "") -> Document:
    document = documents.get(job.payload["document_id"])
    text, passages = split(document, paragraphs, heading)
    rows = EMBEDDER.encode_documents([passage.search_text for passage in passages])
    return documents.complete_ingest(
        job.job_id,
        job.fence,
        document.document_id,
        version=document.version,
        title=f"{document.source}, version {document.version}",
        text=text,
        passages=passages,
        vectors={passage.search_hash: np.asarray(row) for passage, row in zip(passages, rows, strict=True)},
        fingerprint=EMBEDDER.fingerprint,
    )


def ingest(
    documents: DocumentStore,
    jobs: JobStore,
    paragraphs: Sequence[str],
    *,
    source: str = "faq.md",
    collection: str = "shop",
    heading: str = "",
) -> Document:
    """Upload and process in one go."""
    upload(documents, heading + "\n\n".join(paragraphs), source=source, collection=collection)
    return complete(documents, claim(jobs), paragraphs, heading)
