from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.bootstrap import Services, build_services
from api.settings import Settings
from domain.jobs import Job, JobKind, JobStatus
from retriever.settings import RetrieverSettings
from tests.api.conftest import FAQ, RETURNS
from tests.fakes import HashEmbedder


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    return tmp_path / "golden.jsonl"


@pytest.fixture
def services(tmp_path: Path, golden: Path) -> Iterator[Services]:
    """A knowledge base of two documents, whose re-index is tested on the golden questions in the file."""
    settings = Settings(data_dir=tmp_path / "data", retriever=RetrieverSettings(golden=golden))
    services = build_services(settings, embedder=HashEmbedder())
    services.prepare_storage()
    for name, content, kind in (("returns.md", RETURNS, "text/markdown"), ("faq.csv", FAQ, "text/csv")):
        with services.blobs.stage() as blob:
            blob.write(content)
            sha256 = blob.commit()
        services.documents.accept_upload(
            collection="shop",
            source=name,
            title=name,
            media_type=kind,
            size_bytes=len(content),
            sha256=sha256,
        )
    yield services
    services.close()


def _ask(golden: Path, *questions: tuple[str, str]) -> None:
    rows = [
        {
            "id": str(number),
            "question": question,
            "history": [],
            "evidence": [{"source": "returns.md", "quote": quote}],
            "facts": [],
            "answerable": True,
        }
        for number, (question, quote) in enumerate(questions)
    ]
    golden.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def _reindex(services: Services) -> Job:
    job_id = services.jobs.enqueue(JobKind.REINDEX, {"full": False, "promote": True}, singleton=True).job_id
    worker = services.worker("test")
    while worker.run_once():
        pass
    return services.jobs.get(job_id)


def test_generation_is_tested_on_the_companys_golden_questions_before_it_is_live(
    services: Services, golden: Path
) -> None:
    _ask(golden, ("Can I send an item back?", "30 days of delivery"), ("When is the price refunded?", "5 working days"))
    passed = _reindex(services)
    assert passed.result is not None
    assert passed.result["gate"]["golden_recall_at_5"] == 1.0
    live = services.generations.live()
    assert live is not None
    assert live.gate["golden_recall_at_5"] == 1.0
    _ask(golden, ("Do you sell boats?", "boats"), ("Do you sell trains?", "trains"), ("And the item?", "30 days"))
    failed = _reindex(services)
    assert failed.status is JobStatus.FAILED
    assert "golden questions" in str(failed.error)
    assert services.generations.live() == live


def test_missing_file_of_golden_questions_fails_the_reindex_and_names_the_setting(services: Services) -> None:
    failed = _reindex(services)
    assert failed.status is JobStatus.FAILED
    assert "ANSWERDESK_RETRIEVER__GOLDEN" in str(failed.error)
