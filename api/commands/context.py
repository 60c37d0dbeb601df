"""What every command needs: settings, logging, and services whose storage is ready."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from api.bootstrap import Services, build_services
from api.logs import configure_logging
from api.settings import Settings, load_settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Limit to one collection.")]


def configured(default_log_level: str = "WARNING") -> Settings:
    settings = load_settings()
    configure_logging(settings, default_log_level)
    return settings


@contextmanager
def working(services: Services) -> Iterator[None]:
    """A worker in a thread of this process while the block waits for its jobs; a server's worker may take them too."""
    services.load_searching()
    stop = threading.Event()
    thread = threading.Thread(target=services.worker().run, args=(stop,), name="worker")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def open_services(settings: Settings | None = None) -> Iterator[Services]:
    """Services over an up-to-date database; models are not loaded yet."""
    services = build_services(settings or configured())
    try:
        services.prepare_storage()
        yield services
    finally:
        services.close()
