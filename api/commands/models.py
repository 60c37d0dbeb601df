"""``models``: the registry of language models."""

from __future__ import annotations

from typing import Annotated

import typer

from api import console_output as output
from api.commands.context import JsonOption, open_services
from api.models import ModelView
from domain.models import ModelRecord
from generator.model_registry import explain_gate

models = typer.Typer(help="Language models.", no_args_is_help=True)


@models.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """Show the models, newest first."""
    with open_services() as services:
        records = services.models.list_models()
    if as_json:
        output.emit_json({"models": [ModelView.from_domain(record).model_dump(mode="json") for record in records]})
        return
    output.table(
        ("", "model", "recipe", "trained from", "gate", "published", "promoted"),
        [
            (
                "live" if record.is_live else "",
                record.model_id,
                record.recipe,
                record.base_model,
                _gate(record),
                f"{record.created_at:%F %H:%M}" if not record.is_shipped else "ships with Answerdesk",
                f"{record.promoted_at:%F %H:%M}" if record.promoted_at else "",
            )
            for record in records
        ],
        empty="",
    )


@models.command("promote")
def promote(
    model_id: str,
    force: Annotated[bool, typer.Option("--force", help="Promote it although it did not pass its gate.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a published model the live one; running servers pick it up without a restart."""
    with open_services() as services:
        record = services.models.promote(model_id, force=force)
    if not record.passed_gate:
        output.note(f"Forced: model {model_id} {explain_gate(record)}")
    _report_live(record, as_json)


@models.command("rollback")
def rollback(as_json: JsonOption = False) -> None:
    """Go back to the model that was live before; the shipped one is always among them."""
    with open_services() as services:
        record = services.models.rollback()
    _report_live(record, as_json)


def _report_live(record: ModelRecord, as_json: bool) -> None:
    if as_json:
        output.emit_json(ModelView.from_domain(record).model_dump(mode="json"))
    else:
        output.say(f"Model {record.model_id} is live.")


def _gate(record: ModelRecord) -> str:
    if record.is_shipped:
        return ""
    if not record.gate:
        return "not measured"
    return "passed" if record.passed_gate else "failed"
