"""The product over a benchmark's documents: built once, opened many times, copied to take a document away."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from api.bootstrap import Services, build_services
from api.commands.context import open_services, working
from api.deletion import delete_document
from api.settings import Settings
from api.uploads import store_upload
from benchmarks.golden import answerdesk
from domain.documents import DocumentStatus
from domain.ids import sha256_hex
from domain.protocols import Embedder, LanguageModel, SearchResult
from generator.evaluation import GoldenQuery
from generator.search_plan import PlannedSearch, plan_searches

ROOT = Path(__file__).resolve().parent.parent
# What decides about a built knowledge base, whose schema is brought up to date when it is opened, and about answers.
_INGESTING = ("ingest", "retriever", "domain/documents.py", "domain/text.py")
_ANSWERING = ("api/bootstrap.py", "domain", "generator", "ingest", "retriever", "storage")
_ALL = 10_000  # documents of a knowledge base
_NEVER_ANSWERS = {"__pycache__", "train"}
_NEVER_INGESTS = _NEVER_ANSWERS | {"reading"}


def build_knowledge_base(files: Mapping[str, str | Path], collection: str, work_dir: Path, settings: Settings) -> Path:
    """The data folder of a knowledge base of ``files``: texts, or files to copy, by name; through the real pipeline."""
    return build_collections({collection: files}, work_dir, settings)


def build_collections(collections: Mapping[str, Mapping[str, str | Path]], work_dir: Path, settings: Settings) -> Path:
    """The data folder of a knowledge base with the files of each collection.

    A folder that the same code made of the same files with the same settings is used again.
    """
    knobs = [settings.ingest.model_dump_json(), settings.retriever.model_dump_json(exclude={"threads", "reader"})]
    contents = {
        name: {file: _content(told) for file, told in sorted(files.items())} for name, files in collections.items()
    }
    facts = [f"{name} {sha256_hex(told)}" for files in contents.values() for name, told in files.items()]
    folder = work_dir / f"kb-{_hash([source_hash(_INGESTING, _NEVER_INGESTS), *knobs, *facts])}"
    if folder.exists():
        return folder
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    own = settings.model_copy(update={"data_dir": unfinished, "database_url": ""})
    with open_services(own) as services:
        for collection, files in contents.items():
            for name, content in files.items():
                store_upload(services, name, [content], collection)
        with working(services):
            while not all(document.status.is_final for document in services.documents.list_documents(limit=_ALL)):
                time.sleep(settings.ingest.poll_seconds)
        failed = services.documents.list_documents(status=DocumentStatus.FAILED, limit=_ALL)
    if failed:
        raise RuntimeError(f"{failed[0].source} of {len(failed)} files could not be ingested: {failed[0].reason}")
    answerdesk(unfinished, "reindex")
    unfinished.rename(folder)
    return folder


def _content(file: str | Path) -> bytes:
    return file.read_bytes() if isinstance(file, Path) else file.encode("utf-8")


@contextmanager
def open_product(
    settings: Settings, data_dir: Path, embedder: Embedder | None = None, language_model: LanguageModel | None = None
) -> Iterator[Services]:
    """The product over a data folder, ready to answer; the models that are lent are not loaded again."""
    own = settings.model_copy(update={"data_dir": data_dir, "database_url": ""})
    services = build_services(own, embedder=embedder, language_model=language_model)
    try:
        services.prepare_storage()
        services.load_answering()
        yield services
    finally:
        services.close()


def search_once(services: Services, query: GoldenQuery) -> tuple[PlannedSearch, SearchResult] | None:
    """The search that a turn would make; None for a message that needs several, whose evidence is nobody's own."""
    generator = services.settings.generator
    planned = plan_searches(query.question, query.history, generator.max_question_chars)
    if len(planned) != 1:
        return None
    return planned[0], planned[0].run(services.retriever, generator.passages, query.collection)


@contextmanager
def without_document(services: Services, source: str, collection: str) -> Iterator[Services]:
    """The product over a copy of the knowledge base from which one document was deleted."""
    with TemporaryDirectory() as holder:
        copy = Path(holder) / "data"
        shutil.copytree(services.settings.data_dir, copy, ignore=shutil.ignore_patterns("models"))
        with open_product(services.settings, copy, services.embedder, lent(services.language_model)) as reduced:
            document = reduced.documents.get_by_source(collection, source)
            assert document is not None
            delete_document(reduced, document.document_id)
            yield reduced


def lent(model: LanguageModel | None) -> LanguageModel | None:
    """The same model, which whoever borrows it does not close."""
    return _Lent(model) if model is not None else None


class _Lent:
    def __init__(self, model: LanguageModel) -> None:
        self.name = model.name
        self.context_tokens = model.context_tokens
        self.is_grounded = model.is_grounded
        self.count_tokens = model.count_tokens
        self.generate = model.generate
        self.score = model.score


def documents_by_source(services: Services, collection: str) -> dict[str, str]:
    """Document id by file name."""
    ledger = services.documents.list_documents(collection=collection, limit=_ALL)
    return {document.source: document.document_id for document in ledger}


def source_hash(paths: Sequence[str] = _ANSWERING, left_out: Set[str] = _NEVER_ANSWERS) -> str:
    """Hash of the product's code and models as they stand on disk, committed or not."""
    found = [file for path in paths for file in [ROOT / path, *(ROOT / path).rglob("*")]]
    files = sorted(file for file in found if file.is_file() and not left_out & set(file.parts))
    return _hash([f"{file.relative_to(ROOT)} {sha256_hex(file.read_bytes())}" for file in files])


def commit() -> str:
    """The commit that is checked out, with ``+`` after it when the product's code differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", *_ANSWERING) else "")


def _hash(parts: Sequence[str]) -> str:
    return sha256_hex("\n".join(parts))[:12]
