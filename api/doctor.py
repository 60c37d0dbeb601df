"""What `answerdesk doctor` looks at. Each check returns a finding; a fault carries its remedy."""

from __future__ import annotations

import platform
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from api.bootstrap import Services
from domain.errors import AnswerdeskError
from domain.jobs import JobKind, JobStatus
from generator.language_model import explain_ungrounded
from retriever.dense import DenseIndex
from storage.engine import sqlite_has_wal_fix

_LOW_DISK_BYTES = 2 * 1024**3
_WORDS = ("degraded", "stale")  # facts of the index that are sentences


@dataclass(frozen=True, slots=True)
class Finding:
    level: Literal["ok", "warning", "fault"]
    check: str
    finding: str

    def row(self) -> tuple[str, str, str]:
        return (self.level, self.check, self.finding)

    def to_dict(self) -> dict[str, str]:
        return {"level": self.level, "check": self.check, "finding": self.finding}


def examine(services: Services) -> list[Finding]:
    """Run every check; one that fails does not stop the others."""
    checks: tuple[tuple[str, Callable[[Services], Iterator[Finding]]], ...] = (
        ("disk", _disk),
        ("database", _database),
        ("documents", _documents),
        ("index", _index),
        ("nightly", _nightly),
        ("reader", _reader),
        ("language model", _language_model),
    )
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    findings = [Finding("ok", "machine", machine)]
    for name, check in checks:
        try:
            findings.extend(check(services))
        except AnswerdeskError as error:
            findings.append(Finding("fault", name, f"{error.detail} {error.remedy}"))
    return findings


def _disk(services: Services) -> Iterator[Finding]:
    free = shutil.disk_usage(services.settings.data_dir).free
    text = f"{free / 2**30:.1f} GB free under {services.settings.data_dir}"
    if free < _LOW_DISK_BYTES:
        yield Finding("warning", "disk", f"{text}; a re-index needs room for a second generation. Free some space.")
    else:
        yield Finding("ok", "disk", text)


def _database(services: Services) -> Iterator[Finding]:
    dialect = services.engine.dialect.name
    if dialect != "sqlite":
        yield Finding("ok", "database", f"{dialect}, revision {services.documents.revision()}")
    elif sqlite_has_wal_fix(services.engine):
        yield Finding("ok", "database", f"SQLite with the WAL fix, revision {services.documents.revision()}")
    else:
        yield Finding(
            "warning",
            "database",
            f"SQLite {sqlite3.sqlite_version} is older than 3.51.3, which fixes a rare WAL race. Run one server "
            "process, install pysqlite3, or use PostgreSQL through ANSWERDESK_DATABASE_URL.",
        )


def _documents(services: Services) -> Iterator[Finding]:
    documents = services.documents
    yield Finding("ok", "documents", f"{documents.count_documents()} documents, {documents.count_passages()} passages")
    stale = services.stale_documents.count()
    if stale:
        yield Finding("warning", "documents", f"{stale} were cut by an older version; the next re-index renews them.")
    waiting = services.jobs.count_queued()
    if waiting:
        yield Finding("warning", "jobs", f"{waiting} jobs wait; they need a running server or `answerdesk worker`.")


def _index(services: Services) -> Iterator[Finding]:
    services.load_searching()
    facts = services.retriever.info()
    problem = facts.get("degraded") or facts.get("stale")
    summary = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in _WORDS and value is not None)
    yield Finding("warning" if problem else "ok", "index", f"{problem} {summary}" if problem else summary)
    passages = facts["passages"]
    assert isinstance(passages, int)
    yield Finding("ok", "index kind", DenseIndex.explain(passages))


def _nightly(services: Services) -> Iterator[Finding]:
    at = services.settings.nightly_at
    if at == "off":
        yield Finding("ok", "nightly", "off: cron or a timer has to run `answerdesk reindex`")
        return
    when = f"a running worker re-indexes at {at} local time"
    last = next((job for job in services.jobs.list_jobs(JobKind.REINDEX) if "day" in job.payload), None)
    if last is not None and last.status is JobStatus.FAILED:
        yield Finding("warning", "nightly", f"{when}; that of {last.payload['day']} failed: {last.error}")
    else:
        yield Finding("ok", "nightly", f"{when}; last {last.payload['day']}, {last.status}" if last else when)


def _reader(services: Services) -> Iterator[Finding]:
    services.load_answering()
    if services.reader is None:
        yield Finding("ok", "reader", "left out by the settings: words and vectors choose the evidence")
    elif services.reader_problem is not None:
        yield Finding("warning", "reader", f"Words and vectors choose the evidence. {services.reader_problem}")
    else:
        yield Finding("ok", "reader", "chooses the evidence of English questions")


def _language_model(services: Services) -> Iterator[Finding]:
    services.load_answering()
    serving, check = services.live_model.serving, "language model"
    assert serving is not None, "load_answering() has just run"
    model = serving.model
    if model is None:
        yield Finding("warning", check, f"Answers are quoted, not composed. {serving.problem}")
    elif serving.problem is not None:
        yield Finding("warning", check, f"{serving.problem} {serving.model_id} answers instead of {serving.live_id}.")
    elif not model.is_grounded:
        yield Finding("warning", check, explain_ungrounded(model.name))
    else:
        yield Finding("ok", check, f"{model.name}, {model.context_tokens} tokens of context")
