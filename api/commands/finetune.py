"""``finetune``: train the live GPT-2 on your own knowledge base, and promote the result if its answers are better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api import console_output as output
from api.commands.context import JsonOption, open_services
from domain.errors import GateFailed

_COLUMNS = ("figure", "live", "trained")
_TABLES = {
    "choosing": "Held-back questions, sentences chosen by the model alone",
    "served": "Held-back questions, chosen as the product serves",
    "golden": "Golden set, answered by the whole product",
}


def finetune(
    recipe: Annotated[Path, typer.Argument(help="What to train, a TOML file.", exists=True, dir_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Train on your FAQ, documents and rated conversations; promote the model if its answers are better.

    Give the same command again to go on with a run that was stopped. The live model answers all the while.
    """
    from api.finetuning import FineTuning  # imports torch and peft: seconds that no other command should wait

    with open_services() as services:
        _quieten()
        report = FineTuning(services, recipe, lambda label: output.progress_bar(label, visible=not as_json)).run()
    if as_json:
        output.emit_json(report)
    else:
        _print(report)
    if report["reasons"]:
        raise GateFailed(
            f"The trained model was not promoted. {' '.join(report['reasons'])}",
            "The live model stays. docs/finetune.md says what to try next.",
        )


def _quieten() -> None:
    """transformers draws bars of its own where ours are."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _print(report: dict[str, Any]) -> None:
    output.say(f"Run {report['run']}")
    for name, title in _TABLES.items():
        if name in report:
            output.say(f"\n{title}")
            output.table(_COLUMNS, _rows(report[name]), empty="")
    difference = report["served"]["gain"]["difference"]
    output.say(
        f"\nF1 as served {difference['mean']:+.3f} "
        f"(95 % interval {difference['low']:+.3f} to {difference['high']:+.3f}, n = {difference['n']})"
    )
    if report["promoted"]:
        output.say(f"{report['model']} is live; running servers take it up within seconds.")
    elif report["model"]:
        output.say(f"Published as {report['model']}; {report['live']} stays live.")
    else:
        output.say("Measured only: a prefix cannot be published.")


def _rows(figures: dict[str, Any]) -> list[tuple[object, ...]]:
    return [(name, f"{value:.3f}", f"{figures['trained'][name]:.3f}") for name, value in figures["live"].items()]
