"""``serve`` and ``worker``."""

from __future__ import annotations

import os
import signal
import threading
from typing import Annotated

import typer

from api import console_output as output
from api.commands.context import configured, open_services
from api.deletion import sweep
from api.sample import install_sample
from api.server import require_free_port, require_safe_binding, run_server
from api.settings import Settings, override_environment
from domain.access import AccessRole


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="HTTP processes.")] = 1,
    worker: Annotated[bool, typer.Option(help="Supervise the process that ingests and re-indexes.")] = True,
    sample: Annotated[bool, typer.Option("--sample", help="Ingest the sample shop on the first start.")] = False,
) -> None:
    """Start the HTTP server, and beside it one worker process."""
    if host is not None:
        override_environment("API__HOST", host)
    if port is not None:
        override_environment("API__PORT", str(port))
    settings = configured("INFO")
    require_free_port(settings.api.host, settings.api.port)
    with open_services(settings) as services:
        has_key = services.keys.has_any(AccessRole.STAFF, AccessRole.ADMIN)
        require_safe_binding(settings.api.host, has_key)
        # The key that the first start prints.
        first_key = None if has_key else services.keys.create(AccessRole.ADMIN, "first key")[1]
        if sample and first_key is not None:
            files = install_sample(services)
            output.note(f"Sample shop: {files} files queued; they are ready within a minute.")
    if workers > 1:
        _share_cores(settings, workers)
    output.note("Loading the models ...")
    host = f"[{settings.api.host}]" if ":" in settings.api.host else settings.api.host
    run_server(
        settings,
        workers=workers,
        with_worker=worker,
        on_started=lambda actual_port: _announce(f"http://{host}:{actual_port}", first_key),
    )


def worker(
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Ingest documents and rebuild indexes until stopped."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    with open_services(configured("INFO")) as services:
        sweep(services)
        services.load_searching()
        services.worker(with_upkeep=True).run(stop)


def _share_cores(settings: Settings, processes: int) -> None:
    """Each process would take every core otherwise, and several that do so are slower than one."""
    threads = str(max(1, (os.cpu_count() or 1) // processes))
    for section, chosen in (("RETRIEVER", settings.retriever.threads), ("GENERATOR", settings.generator.threads)):
        if not chosen:
            override_environment(f"{section}__THREADS", threads)


def _stop_at_end_of_input(stop: threading.Event) -> None:
    # Not through sys.stdin: its lock, held by this thread, would abort an interpreter that ends for another reason.
    while os.read(0, 4096):
        pass
    stop.set()


def _announce(base: str, first_key: str | None) -> None:
    output.say(f"Chat     {base}/")
    if first_key is None:
        output.say(f"Console  {base}/console  (a new key: `answerdesk key create --role staff`)")
    else:
        output.say(f"Console  {base}/console#key={first_key}")
        output.say("This first staff key is shown once; keep it.")
