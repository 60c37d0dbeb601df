"""``key``, ``db``, ``doctor`` and ``sample``: what operators run."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from api import console_output as output
from api.commands.context import JsonOption, open_services
from api.doctor import examine
from api.sample import install_sample, remove_sample
from api.schemas import KeyView
from api.settings import setting_names
from domain.access import AccessRole

keys = typer.Typer(help="API keys.", no_args_is_help=True)
database = typer.Typer(help="The database.", no_args_is_help=True)
sample = typer.Typer(help="The sample shop.", no_args_is_help=True)


@keys.command("create")
def create_key(
    role: Annotated[AccessRole, typer.Option(help="customer chats, staff uploads, admin operates.")],
    label: Annotated[str, typer.Option(help="Whom or what the key is for.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a key; it is shown once."""
    with open_services() as services:
        key, plaintext = services.keys.create(role, label)
    if as_json:
        output.emit_json({**KeyView.from_domain(key).model_dump(mode="json"), "key": plaintext})
    else:
        output.say(plaintext)
        output.note(f"Role {key.role}. Shown once; revoke it with `answerdesk key revoke {key.prefix}`.")


@keys.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """Show every key, without the key itself."""
    with open_services() as services:
        rows = services.keys.list_keys()
    if as_json:
        output.emit_json({"keys": [KeyView.from_domain(key).model_dump(mode="json") for key in rows]})
        return
    output.table(
        ("prefix", "role", "label", "created", "expires", "revoked"),
        [(k.prefix, k.role, k.label, *map(_minute, (k.created_at, k.expires_at, k.revoked_at))) for k in rows],
        empty="No keys yet: `answerdesk key create --role staff`.",
    )


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


@keys.command("revoke")
def revoke_key(prefix: Annotated[str, typer.Argument(help="The prefix that `key list` shows.")]) -> None:
    """End a key at once."""
    with open_services() as services:
        key = services.keys.revoke(prefix)
    output.say(f"Revoked {key.prefix} ({key.role}).")


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the schema up to date; every command does this by itself when it starts."""
    with open_services():
        output.say("The schema is up to date.")


@sample.command("install")
def install() -> None:
    """Queue the sample shop's files for ingestion."""
    with open_services() as services:
        output.say(f"{install_sample(services)} files queued; a running server or `answerdesk worker` ingests them.")


@sample.command("remove")
def remove() -> None:
    """Delete the sample shop's documents; what you replaced or added in its collection stays."""
    with open_services() as services:
        output.say(f"{remove_sample(services)} documents deleted.")


def doctor(
    settings: Annotated[bool, typer.Option("--settings", help="List every setting instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the machine, the database, the index and the models, and say what to do about each fault."""
    if settings:
        names = setting_names()
        if as_json:
            output.emit_json(names)
        else:
            output.facts_table(names)
        return
    with open_services() as services:
        findings = examine(services)
    if as_json:
        output.emit_json({"findings": [finding.to_dict() for finding in findings]})
    else:
        output.table(("", "check", "finding"), [f.row() for f in findings], empty="")
    if any(finding.level == "fault" for finding in findings):
        raise typer.Exit(1)
