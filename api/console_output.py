"""The one place that prints: JSON for programs, tables and progress bars for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from domain.errors import AnswerdeskError
from domain.protocols import ProgressListener

_PIPE_WIDTH = 1000
_ID_COLUMNS = frozenset(("document", "generation", "model", "prefix"))
_out = Console(soft_wrap=True, highlight=False)
_err = Console(stderr=True, soft_wrap=True, highlight=False)


def emit_json(facts: object) -> None:
    """Exactly one JSON document on standard output."""
    sys.stdout.write(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def say(text: str = "") -> None:
    _out.print(escape(text))


def note(text: str) -> None:
    """For people only: on standard error, so that it never mixes with facts."""
    _err.print(escape(text))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    if not rows:
        say(empty)
        return
    view = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        # An id that is cut short or folded cannot be copied.
        view.add_column(column, overflow="fold", no_wrap=column in _ID_COLUMNS)
    for row in rows:
        view.add_row(*(escape("" if value is None else str(value)) for value in row))
    # A program that reads a table wants one line a row.
    (_out if _out.is_terminal else Console(width=_PIPE_WIDTH, highlight=False)).print(view)


def problem(error: AnswerdeskError) -> None:
    _err.print(f"[bold red]{escape(error.title)}:[/] {escape(error.detail)}")
    _err.print(f"  {escape(error.remedy)}")


def facts_table(facts: Mapping[str, object]) -> None:
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        say(f"{name:<{width}}  {value}")


@contextmanager
def progress_bar(label: str, *, visible: bool = True) -> Iterator[ProgressListener]:
    """A bar on standard error that follows the calls ``listener(done, total)``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True, disable=not visible) as progress:
        task = progress.add_task(label, total=None)

        def listener(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        yield listener
