"""The wiring: the one module that names concrete classes and decides who gets what.

``build_services`` only constructs; nothing is read from disk and no model is loaded until one of the ``load_*``
methods runs, so a command that lists documents starts in a moment.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine

from api.settings import Settings
from api.upkeep import Upkeep, parse_nightly, request_rebuild
from domain.errors import InvalidInput, ModelMissing, ModelUnsuitable
from domain.jobs import Job, JobKind
from domain.models import ModelRecord
from domain.protocols import Embedder, LanguageModel, Searcher
from generator.agent import Agent
from generator.evaluation import evaluate_retrieval, load_queries
from generator.ladder import Reading
from generator.language_model import load_language_model
from generator.live_model import LiveModel, MakeAgent
from generator.model_registry import LoadModel, ModelRegistry
from generator.refusal import READING_CALIBRATION, SHIPPED_CALIBRATION, RefusalModel
from ingest.pipeline import IngestPipeline
from ingest.worker import JobContext, Worker
from retriever.embedder import MiniLMEmbedder
from retriever.ensemble import EnsembleEmbedder, Member
from retriever.metrics import is_relevant, recall_at_k
from retriever.opening import OpenEmbedder
from retriever.reading.reader import MiniLMReader
from retriever.reindex import Reindexer
from retriever.retriever import Retriever
from retriever.settings import RetrieverSettings
from retriever.universal import UniversalEmbedder
from storage.artifacts import ArtifactStore
from storage.blobs import BlobStore
from storage.conversations import ConversationStore
from storage.documents import DocumentStore
from storage.engine import create_database_engine, upgrade_schema
from storage.generations import GenerationStore
from storage.jobs import JobStore
from storage.keys import KeyStore
from storage.models import ModelStore
from storage.stale import StaleDocuments
from storage.vectors import VectorStore

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Services:
    """Everything an entry point can ask for. ``agent`` exists after ``load_answering``.

    ``reader`` is None where the settings leave it out; ``reader_problem`` says why it cannot be used.
    ``load_model(folder)`` runs any model folder (None: the one that the settings name), and ``make_agent(model)`` makes
    an agent over it and this knowledge base: for comparing a model with the live one.
    """

    settings: Settings
    engine: Engine
    blobs: BlobStore
    documents: DocumentStore
    stale_documents: StaleDocuments
    vectors: VectorStore
    jobs: JobStore
    conversations: ConversationStore
    generations: GenerationStore
    artifacts: ArtifactStore
    keys: KeyStore
    embedder: Embedder
    retriever: Retriever
    reindexer: Reindexer
    pipeline: IngestPipeline
    models: ModelRegistry
    live_model: LiveModel
    load_model: LoadModel
    make_agent: MakeAgent
    reader: MiniLMReader | None = None
    reader_problem: str | None = None

    @property
    def agent(self) -> Agent:
        """Over the model that is live now: take it once a turn, and the turn keeps to one model."""
        serving = self.live_model.serving
        if serving is None:
            raise RuntimeError("load_answering() has to run before the first question")
        return serving.agent

    @property
    def language_model(self) -> LanguageModel | None:
        """What ``agent`` composes with; None before ``load_answering`` and when no model can be used."""
        serving = self.live_model.serving
        return serving.model if serving else None

    @property
    def usable_reader(self) -> MiniLMReader | None:
        """None before ``load_answering``, where the settings leave it out, and when it cannot be used."""
        return self.reader if self.reader is not None and self.reader.is_loaded else None

    def prepare_storage(self) -> None:
        """Create the data folder and bring the schema up to date; safe in several processes at once."""
        self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        upgrade_schema(self.engine)

    def load_embedding(self) -> None:
        """Load the embedder, which searching, ingesting and re-indexing need."""
        if isinstance(self.embedder, EnsembleEmbedder):
            self.embedder.load()

    def load_searching(self) -> None:
        self.load_embedding()
        self.retriever.load()

    def load_answering(self) -> None:
        """Load the retriever, the reader and the GPT-2. Without a usable reader words and vectors choose the evidence;
        without a usable GPT-2 the ladder goes on and quotes passages instead."""
        self.load_searching()
        self.load_reader()
        self.live_model.load()

    def load_reader(self) -> None:
        """Load the reader if it is wanted; ``reader_problem`` says why it could not be."""
        if self.reader is None:
            return
        try:
            self.reader.load()
        except ModelMissing as error:
            self.reader_problem = f"{error.detail} {error.remedy}"
            logger.error("the reader cannot be used", extra={"reason": error.detail})

    def publish_model(self, folder: Path, facts: Mapping[str, Any]) -> ModelRecord:
        """Copy a trained folder into the registry; see ``ModelRegistry.publish`` for ``facts`` and what it raises."""
        return self.models.publish(folder, facts)

    def worker(self, name: str | None = None, *, with_upkeep: bool = False) -> Worker:
        """A worker over every kind of job; the embedder has to be loaded. ``with_upkeep`` is for one that stays."""
        upkeep = Upkeep(self.jobs, self.retriever, parse_nightly(self.settings.nightly_at)) if with_upkeep else None
        return Worker(
            self.jobs,
            {JobKind.INGEST: self._handle_ingest, JobKind.REINDEX: self._handle_reindex},
            worker_name=name or f"worker-{os.getpid()}",
            lease_seconds=self.settings.ingest.lease_seconds,
            poll_seconds=self.settings.ingest.poll_seconds,
            upkeep=upkeep,
        )

    def is_index_current(self) -> bool:
        """True when a re-index would build what is there already."""
        live = self.generations.live()
        has_all = live.revision == self.documents.revision() if live else self.documents.count_passages() == 0
        return has_all and not self.retriever.needs_reindex()

    def close(self) -> None:
        self.live_model.close()
        self.retriever.close()
        self.engine.dispose()

    def _handle_ingest(self, job: Job, context: JobContext) -> Mapping[str, object] | None:
        self.pipeline.handle(job, context)
        if self.retriever.needs_reindex():
            request_rebuild(self.jobs)
        return None

    def _handle_reindex(self, job: Job, context: JobContext) -> Mapping[str, object]:
        """The nightly one, which has a ``day``, builds nothing when nothing has changed since the live generation."""
        renewing = self.stale_documents.renew()
        if "day" in job.payload and self.is_index_current():
            return {"unchanged": True, "renewing": renewing}
        report = self.reindexer.run(
            full=bool(job.payload.get("full")), promote=bool(job.payload.get("promote", True)), progress=context.report
        )
        self.retriever.load()
        return {**report.to_dict(), "renewing": renewing}


def build_services(
    settings: Settings,
    *,
    embedder: Embedder | None = None,
    language_model: LanguageModel | None = None,
) -> Services:
    """Construct the house. ``embedder`` and ``language_model`` stand in for the real ones in unit tests."""
    data = settings.data_dir
    engine = create_database_engine(settings.resolved_database_url)
    documents, vectors, jobs = DocumentStore(engine), VectorStore(engine), JobStore(engine)
    generations, artifacts = GenerationStore(engine), ArtifactStore(data / "generations")
    blobs = BlobStore(data / "blobs")
    embedder = embedder or _build_embedder(settings.retriever)
    knowledge = (documents, vectors, generations, artifacts, embedder, settings.retriever)
    reader = MiniLMReader(threads=settings.retriever.threads) if settings.retriever.reader else None
    rebuild, golden = partial(request_rebuild, jobs), settings.retriever.golden
    retriever = Retriever(*knowledge, open_embedder=_open_former(settings), on_degraded=rebuild)

    def load_model(folder: Path | None) -> LanguageModel:
        return language_model if folder is None and language_model is not None else _load_model(settings, folder)

    def make_agent(model: LanguageModel | None) -> Agent:
        refusal = RefusalModel.load(SHIPPED_CALIBRATION)
        can_read = reader is not None and reader.is_loaded
        reading = Reading(reader, RefusalModel.load(READING_CALIBRATION)) if reader and can_read else None
        return Agent(retriever, embedder, refusal, model, settings.generator, reading)

    models = ModelRegistry(ModelStore(engine), ArtifactStore(data / "registry"), load_model)
    return Services(
        settings=settings,
        engine=engine,
        blobs=blobs,
        documents=documents,
        stale_documents=StaleDocuments(engine),
        vectors=vectors,
        jobs=jobs,
        conversations=ConversationStore(engine),
        generations=generations,
        artifacts=artifacts,
        keys=KeyStore(engine),
        embedder=embedder,
        retriever=retriever,
        reindexer=Reindexer(*knowledge, live=retriever, golden=partial(_golden_recall, golden) if golden else None),
        pipeline=IngestPipeline(documents, vectors, blobs, embedder, settings.ingest),
        models=models,
        live_model=LiveModel(models, make_agent),
        load_model=load_model,
        make_agent=make_agent,
        reader=reader,
    )


def _load_model(settings: Settings, folder: Path | None) -> LanguageModel:
    """The model of a folder, or the one that the settings name; converted once into ``data_dir/models``."""
    generator = settings.generator
    if folder is not None:
        generator = generator.model_copy(update={"model": str(folder)})
    return load_language_model(generator, settings.data_dir / "models", generator.threads or os.cpu_count() or 1)


def _golden_recall(path: Path, searcher: Searcher) -> float:
    """Recall@5 on the file's answerable questions, follow-ups and double questions searched as the chat would.

    Raises:
        InvalidInput: the file cannot be read, or holds no answerable question.
    """
    if not path.is_file():
        raise InvalidInput(f"There is no file of golden questions at {path}.", "Correct ANSWERDESK_RETRIEVER__GOLDEN.")
    recall = {"recall": partial(recall_at_k, k=5)}
    return evaluate_retrieval(load_queries(path), searcher, is_relevant, recall, 5)["recall"].mean


def _open_former(settings: Settings) -> OpenEmbedder:
    """Opens the embedder that a generation was built with, for as long as that generation answers."""

    def open_embedder(recipe: Mapping[str, Any]) -> Embedder:
        try:
            former = RetrieverSettings.model_validate({**settings.retriever.model_dump(), **recipe})
        except ValidationError as error:
            raise ModelUnsuitable(
                f"The index was built with an embedder that this program does not know: {error.errors()[0]['msg']}.",
                "Run 'answerdesk reindex' to build a new generation.",
            ) from error
        embedder = _build_embedder(former)
        embedder.load()
        return embedder

    return open_embedder


def _build_embedder(settings: RetrieverSettings) -> EnsembleEmbedder:
    threads = settings.threads or os.cpu_count() or 1
    minilm = MiniLMEmbedder(settings.embedder_path, threads=threads, precision=settings.precision)
    members = [Member(minilm, 1.0 - settings.universal_weight)]
    if settings.universal_weight:
        members.append(Member(UniversalEmbedder(), settings.universal_weight))
    return EnsembleEmbedder(members)
