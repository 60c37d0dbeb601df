"""The documentation names every setting, route and command that exists, and none that does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.core import TyperGroup

from api.cli import app
from api.settings import setting_names
from tests.api.test_auth import ALLOWED

_ROOT = Path(__file__).resolve().parent.parent


def _read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _commands(command: Any, path: str = "") -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _commands(inner, f"{path} {name}".strip())
    else:
        yield path


def test_every_setting_is_documented_with_its_description_and_no_other() -> None:
    text = _read("docs/settings.md")
    documented = set(re.findall(r"ANSWERDESK_\w+", text))
    assert documented == set(setting_names())
    assert all(description in text for description in setting_names().values())


def test_every_command_is_documented() -> None:
    text = _read("docs/command-line.md")
    missing = [name for name in _commands(typer.main.get_command(app)) if f"`{name}" not in text]
    assert not missing


def test_every_route_is_documented_with_its_role() -> None:
    rows = [line for line in _read("docs/http.md").splitlines() if line.startswith("| `")]
    roles = {route: row.split("|")[2].strip() for row in rows for route in re.findall(r"`([A-Z]+ /[^`]*)`", row)}
    expected = {f"{method} {path}": "-" if role is None else role.value for (method, path), role in ALLOWED.items()}
    # These two decide for themselves: pages outside /v1, and figures that an admin key or a token may read.
    expected |= {"GET /assets/{name}": "-", "GET /metrics": "admin or token"}
    assert roles == expected


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken
