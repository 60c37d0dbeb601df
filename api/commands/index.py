"""``reindex`` and ``generations``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from api import console_output as output
from api.bootstrap import Services
from api.commands.context import JsonOption, open_services, working
from api.schemas import GenerationView
from domain.errors import AlreadyRunning, GateFailed
from domain.indexing import GenerationRecord
from domain.jobs import Job, JobKind, JobStatus
from domain.protocols import ProgressListener

generations = typer.Typer(help="Index generations.", no_args_is_help=True)


def reindex(
    full: Annotated[bool, typer.Option("--full", help="Embed every passage again.")] = False,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Build and gate only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Build a new index generation beside the live one, gate it, promote it. Exit code 3: one is running already."""
    with open_services() as services:
        options = {"full": full, "promote": not no_promote}
        job_id = _enqueue_or_adopt(services, options)
        with working(services), output.progress_bar("Re-indexing", visible=not as_json) as progress:
            report = _await_result(services, job_id, progress)
            while not _has(services.jobs.get(job_id), options):
                job_id = _enqueue_or_adopt(services, options)
                report = _await_result(services, job_id, progress)
    if as_json:
        output.emit_json(report)
    else:
        output.facts_table(report)


@generations.command("list")
def list_generations(as_json: JsonOption = False) -> None:
    """Show the generations, newest first."""
    with open_services() as services:
        records = services.generations.list_generations()
    if as_json:
        output.emit_json({"generations": [GenerationView.from_domain(r).model_dump(mode="json") for r in records]})
        return
    output.table(
        ("", "generation", "passages", "revision", "built"),
        [
            ("live" if r.is_live else "", r.generation_id, r.passage_count, r.revision, f"{r.created_at:%F %H:%M}")
            for r in records
        ],
        empty="No generation yet; `answerdesk reindex` builds one. Until then everything is searched in memory.",
    )


@generations.command("promote")
def promote(generation_id: str) -> None:
    """Make a kept generation the live one."""
    with open_services() as services:
        _report_live(services.reindexer.promote(generation_id))


@generations.command("rollback")
def rollback() -> None:
    """Go back to the generation that was live before."""
    with open_services() as services:
        _report_live(services.reindexer.rollback())


def _report_live(record: GenerationRecord) -> None:
    output.say(f"Generation {record.generation_id} with {record.passage_count} passages is live.")


def _enqueue_or_adopt(services: Services, options: dict[str, bool]) -> str:
    """A re-index that nobody has begun (an upload asked for it, or a killed command left it) is carried out, not
    refused: where no worker runs, it would refuse every later one. One with other options goes first.

    Raises:
        AlreadyRunning: a worker is at it.
    """
    try:
        return services.jobs.enqueue(JobKind.REINDEX, options, singleton=True).job_id
    except AlreadyRunning as error:
        if services.jobs.get(error.running_id).status is not JobStatus.QUEUED:
            raise
        return error.running_id


def _has(job: Job, options: dict[str, bool]) -> bool:
    return {name: value for name, value in job.payload.items() if name != "day"} == options


def _await_result(services: Services, job_id: str, progress: ProgressListener) -> dict[str, object]:
    """Raises GateFailed with the worker's reason when the new generation was not good enough or could not be built."""
    while True:
        job = services.jobs.get(job_id)
        progress(job.done, job.total)
        if job.status is JobStatus.SUCCEEDED:
            return dict(job.result or {})
        if job.status is JobStatus.FAILED:
            reason = str(job.error).rstrip(".")
            raise GateFailed(f"The re-index failed: {reason}.", "The live generation still serves.")
        time.sleep(services.settings.ingest.poll_seconds / 2)
