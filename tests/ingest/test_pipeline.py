from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from domain.documents import DocumentStatus
from domain.errors import LeaseLost, ModelMissing, StorageBusy
from domain.ids import sha256_hex
from domain.jobs import JobKind, JobStatus
from domain.protocols import Vectors
from domain.windows import encode_windows, search_windows
from ingest.pipeline import IngestPipeline
from ingest.settings import IngestSettings
from ingest.worker import JobContext
from tests.ingest.floor import Floor
from tests.ingest.samples import scanned_pdf

GUIDE = "# Returns\n\nYou can return it within 30 days.\n\n## Costs\n\nThe parcel is free of charge.\n"
_PARTS = [f"Part {n} costs {n} euros." + 30 * " It is sold by the piece." for n in range(150)]
LONG = "# Manual\n\n" + "".join(f"## Part {n}\n\n{text}\n\n" for n, text in enumerate(_PARTS))


def test_document_becomes_ready_with_passages_and_vectors(floor: Floor) -> None:
    document = floor.ingest("returns.md", GUIDE)
    passages = floor.documents.passages(document.document_id)
    version = floor.documents.version(document.document_id)
    assert (document.status, document.title, document.passage_count) == (DocumentStatus.READY, "Returns", 1)
    assert [part.heading_path for part in passages[0].sections] == [("Returns",), ("Returns", "Costs")]
    assert all(version.text[p.start_char : p.end_char] == p.text for p in passages)
    stored = floor.vectors.get_many(floor.embedder.fingerprint, [p.search_hash for p in passages])
    expected = encode_windows(floor.embedder, [search_windows(p) for p in passages])
    for passage, vector in zip(passages, expected, strict=True):
        assert np.allclose(stored[passage.search_hash], vector, atol=1e-3)


def test_faq_question_has_a_vector_of_its_own(floor: Floor) -> None:
    floor.ingest("faq.csv", "question,answer\nCan I return it?,Yes.\n")
    key = sha256_hex("Can I return it?")
    assert key in floor.vectors.get_many(floor.embedder.fingerprint, [key])


def test_edited_document_embeds_only_what_changed(floor: Floor) -> None:
    first = floor.ingest("manual.md", LONG)
    floor.embedder.texts.clear()
    second = floor.ingest("manual.md", LONG.replace("costs 7 euros", "costs 5 euros"))
    assert len(floor.embedder.texts) < 10
    assert all(text.startswith("Manual > Part 7\n") for text in floor.embedder.texts)
    assert (second.document_id, second.version) == (first.document_id, 2)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("scan.pdf", scanned_pdf(), "run OCR|Run OCR"),
        ("broken.docx", b"PK\x03\x04broken", "save it as .docx again"),
        ("faq.json", b'{"a": 1}', 'list of objects like {"question"'),
        ("dashes.txt", b"-----", "readable text"),
    ],
)
def test_unreadable_document_fails_with_reason_and_remedy(floor: Floor, name: str, content: bytes, reason: str) -> None:
    document = floor.ingest(name, content)
    assert document.status is DocumentStatus.FAILED
    assert document.reason is not None
    assert any(part in document.reason for part in reason.split("|"))
    assert floor.jobs.list_jobs(JobKind.INGEST)[0].status is JobStatus.FAILED


def test_failed_new_version_leaves_the_old_one_answering(floor: Floor) -> None:
    document = floor.ingest("returns.md", GUIDE)
    floor.ingest("returns.md", "***")
    assert floor.documents.get(document.document_id).status is DocumentStatus.FAILED
    assert len(floor.documents.passages(document.document_id)) == 1


def test_missing_model_fails_the_document_with_its_remedy(floor: Floor) -> None:
    class NoModel(type(floor.embedder)):  # type: ignore[misc]  # a class of its own
        def encode_documents(self, texts: object) -> Vectors:
            raise ModelMissing("There is no model.", "Install it.")

    floor.embedder = NoModel()
    document = floor.ingest("returns.md", GUIDE)
    assert document.reason == "There is no model. Install it."


def test_busy_database_gives_the_job_back_to_be_tried_again(floor: Floor) -> None:
    class BusyOnce(type(floor.embedder)):  # type: ignore[misc]  # a class of its own
        calls = 0

        def encode_documents(self, texts: list[str]) -> Vectors:
            self.calls += 1
            if self.calls == 1:
                raise StorageBusy("The database is locked.", "Try again.")
            result: Vectors = super().encode_documents(texts)
            return result

    floor.embedder = BusyOnce()
    document, _ = floor.upload("returns.md", GUIDE)
    worker = floor.worker()
    with pytest.raises(StorageBusy):
        worker.run_once()
    assert floor.documents.get(document.document_id).status is DocumentStatus.QUEUED
    worker.run_once()
    assert floor.documents.get(document.document_id).status is DocumentStatus.READY


def test_document_deleted_during_the_work_stays_deleted(floor: Floor) -> None:
    document, _ = floor.upload("returns.md", GUIDE)
    job = floor.jobs.claim([JobKind.INGEST], "test")
    assert job is not None
    floor.documents.delete(document.document_id)
    with pytest.raises(LeaseLost):
        floor.pipeline.handle(job, JobContext(floor.jobs, job, threading.Event()))
    assert floor.documents.get(document.document_id).status is DocumentStatus.DELETED
    assert floor.documents.count_passages() == 0


def test_progress_counts_embedded_texts(floor: Floor) -> None:
    floor.ingest("manual.md", LONG)
    job = floor.jobs.list_jobs(JobKind.INGEST)[0]
    assert (job.done, job.total) == (150, 150)


def test_killed_worker_is_replaced_and_leaves_exactly_one_set_of_passages(floor: Floor) -> None:
    document, job = floor.upload("manual.md", LONG)
    assert job is not None
    script = Path(__file__).with_name("stuck_worker.py")
    command = [sys.executable, str(script), floor.url, str(floor.blob_root)]
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": root}) as stuck:
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == b"stuck\n"
        assert floor.documents.get(document.document_id).status is DocumentStatus.EMBEDDING
        stuck.kill()
    worker = floor.worker(lease_seconds=5)
    deadline = time.monotonic() + 30
    while not worker.run_once():  # nothing to claim until the dead worker's lease has run out
        assert time.monotonic() < deadline
        time.sleep(0.05)
    passages = floor.documents.passages(document.document_id)
    assert [p.text for p in passages[1:]] == [f"Part {n}\n\n{_PARTS[n]}" for n in range(1, 150)]
    assert len({p.passage_id for p in passages}) == floor.documents.count_passages() == 150
    kept = [p for p in passages if not any(f"Part {p.ordinal}\n" in text for text in floor.embedder.texts)]
    assert len(kept) == 64  # the killed worker's finished batch
    finished = floor.jobs.get(job.job_id)
    assert (finished.status, finished.attempts, finished.fence) == (JobStatus.SUCCEEDED, 2, 2)
    assert not floor.worker().run_once()


def test_oversized_parse_limits_come_from_the_settings(floor: Floor) -> None:
    floor.upload("page.html", "<p>word</p>" * 300_000)
    settings = IngestSettings(parse_memory_mb=130)
    pipeline = IngestPipeline(floor.documents, floor.vectors, floor.blobs, floor.embedder, settings)
    job = floor.jobs.claim([JobKind.INGEST], "test")
    assert job is not None
    pipeline.handle(job, JobContext(floor.jobs, job, threading.Event()))
    assert floor.documents.get(str(job.payload["document_id"])).status is DocumentStatus.FAILED
