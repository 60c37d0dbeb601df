"""The command ``answerdesk``. Exit codes: 0 success, 1 a problem, 2 wrong usage, 3 it is running already."""

from __future__ import annotations

import sys

import typer

from api import console_output as output
from api.commands import evaluation, finetune, index, knowledge, models, operations, serving
from domain.errors import AlreadyRunning, AnswerdeskError, InvalidInput

app = typer.Typer(
    help="The support agent that never says what it cannot prove.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serving.serve)
app.command()(serving.worker)
app.command()(knowledge.ingest)
app.command()(knowledge.search)
app.command()(knowledge.ask)
app.command()(knowledge.verify)
app.command()(index.reindex)
app.command()(evaluation.evaluate)
app.command()(finetune.finetune)
app.command()(operations.doctor)
app.add_typer(knowledge.documents, name="documents")
app.add_typer(index.generations, name="generations")
app.add_typer(models.models, name="models")
app.add_typer(operations.keys, name="key")
app.add_typer(operations.database, name="db")
app.add_typer(operations.sample, name="sample")


class FileUnusable(InvalidInput):
    title = "File or folder unusable"


def main() -> None:
    """Entry point: an error of ours becomes two lines on standard error, never a traceback."""
    try:
        app()
    except AlreadyRunning as error:
        output.problem(error)
        sys.exit(3)
    except AnswerdeskError as error:
        output.problem(error)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        output.problem(FileUnusable(f"{error.filename}: {error.strerror}.", "Check the path and its permissions."))
        sys.exit(1)


if __name__ == "__main__":
    main()
