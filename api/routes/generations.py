"""Re-indexing and index generations."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import FOR_STAFF
from api.routes.dependencies import Id, LoadedServices, ServicesDep
from api.schemas import GenerationListView, GenerationView, JobView, ReindexRequest, ReindexView
from domain.errors import JobNotFound
from domain.jobs import JobKind

router = APIRouter()


@router.post("/v1/reindex", status_code=202, dependencies=[FOR_STAFF])
def start_reindex(services: ServicesDep, body: ReindexRequest | None = None) -> ReindexView:
    """One at a time: a second request is refused with the id of the one that runs."""
    wish = body or ReindexRequest()
    job = services.jobs.enqueue(JobKind.REINDEX, {"full": wish.full, "promote": wish.promote}, singleton=True)
    return ReindexView(job=JobView.from_domain(job))


@router.get("/v1/reindex/{job_id}", dependencies=[FOR_STAFF])
def show_reindex(job_id: Id, services: ServicesDep) -> ReindexView:
    job = services.jobs.get(job_id)
    if job.kind is not JobKind.REINDEX:
        raise JobNotFound(f"Job {job_id} is not a re-index.", "Use the id that POST /v1/reindex gave.")
    return ReindexView(job=JobView.from_domain(job))


@router.get("/v1/generations", dependencies=[FOR_STAFF])
def list_generations(services: ServicesDep) -> GenerationListView:
    generations = [GenerationView.from_domain(record) for record in services.generations.list_generations()]
    live = next((generation.generation_id for generation in generations if generation.is_live), None)
    return GenerationListView(generations=generations, live=live, nightly_at=services.settings.nightly_at)


@router.post("/v1/generations/{generation_id}/promote", dependencies=[FOR_STAFF])
def promote(generation_id: Id, services: LoadedServices) -> GenerationView:
    record = services.reindexer.promote(generation_id)
    services.retriever.load()  # when this answers, this process searches it; the others follow at their next search
    return GenerationView.from_domain(record)
