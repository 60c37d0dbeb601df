"""The HTTP server process, and the worker process that it keeps alive.

The worker is a fresh interpreter (never a fork: torch and FAISS hang in a forked child) whose standard input is a pipe
held by the server. When the server dies, however it dies, the pipe closes and the worker stops after its job.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from api.bootstrap import build_services
from api.hosts import is_loopback
from api.logs import configure_logging
from api.main import create_app
from api.settings import Settings, load_settings
from domain.errors import SettingsInvalid, Unavailable

logger = logging.getLogger(__name__)

OnStarted = Callable[[int], None]  # is given the port

_CHILD_SECONDS = 120  # an HTTP process answers nothing while it imports torch, and uvicorn would kill it after 5 s
_WORKER_COMMAND = (sys.executable, "-m", "api.cli", "worker", "--until-stdin-closes")


class PortInUse(Unavailable):
    title = "Port in use"


class ServerNotStarted(Unavailable):
    title = "Server not started"


def require_free_port(host: str, port: int) -> None:
    """Raises PortInUse before anything heavy is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # uvicorn sets the same option, so a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"Cannot listen on {host} port {port}: {error.strerror}.",
                f"Stop the program that uses it, or choose another port: `answerdesk serve --port {port + 1}`.",
            ) from error


def require_safe_binding(host: str, has_key: bool) -> None:
    """A server that others can reach must have a staff or admin key: the first is printed on a loopback start."""
    if not is_loopback(host) and not has_key:
        raise SettingsInvalid(
            f"{host} can be reached from other machines and no staff key exists yet.",
            "Run `answerdesk key create --role admin` first.",
        )


class WorkerSupervisor:
    """Starts one worker process and starts it again when it dies."""

    def __init__(self, command: tuple[str, ...] = _WORKER_COMMAND, restart_seconds: float = 30.0) -> None:
        """``restart_seconds`` is the least time between two starts: a worker that dies at once must not spin."""
        self._command = command
        self._restart_seconds = restart_seconds
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_alive, name="worker-supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """Close the worker's pipe and wait for it to put its job back; kill it after ``timeout`` seconds."""
        self._stopping.set()
        process = self._process
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.ident is not None:  # it was started
            self._thread.join(timeout)

    def _keep_alive(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            # A process group of its own: Ctrl-C in the terminal is the server's, which then stops the worker itself.
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command, stdin=subprocess.PIPE, process_group=0
            )
            code = self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._stopping.is_set():
                return
            logger.error("worker process ended; starting another", extra={"exit_code": code})
            self._stopping.wait(max(0.0, self._restart_seconds - (time.monotonic() - started)))


class _Server(uvicorn.Server):
    """Says when it listens, and tells the application before it waits for open streams to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, on_started: OnStarted) -> None:
        super().__init__(config)
        self._app = app
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.draining.set()
        await super().shutdown(sockets)


class _Processes(Multiprocess):
    """Says when the first of its HTTP processes listens."""

    def __init__(self, config: uvicorn.Config, on_started: OnStarted) -> None:
        super().__init__(config, [config.bind_socket()])
        self._on_started = on_started
        self._has_started = False

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self._has_started and any(process.is_ready() for process in self.processes):
            self._has_started = True
            self._on_started(self.sockets[0].getsockname()[1])


def app_of_child() -> FastAPI:
    """What each of several HTTP processes serves. It stops when its parent does, however that dies."""
    settings = load_settings()
    configure_logging(settings)
    threading.Thread(target=_stop_with_parent, name="parent-watch", daemon=True).start()
    return create_app(build_services(settings))


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def run_server(settings: Settings, *, workers: int, with_worker: bool, on_started: OnStarted) -> None:
    """Serve until SIGINT or SIGTERM. ``workers`` are HTTP processes; ``with_worker`` adds the one job process."""
    # uvicorn raises the signal again once it has shut down; it must not end the process before the worker is stopped.
    signal.signal(signal.SIGTERM, lambda *_: None)
    supervisor = WorkerSupervisor() if with_worker else None

    def listening(port: int) -> None:
        # The worker loads the same models: one after the other, the first customer waits for one of them only.
        if supervisor is not None:
            supervisor.start()
        on_started(port)

    try:
        if workers > 1:
            _Processes(_uvicorn_config(settings, "api.server:app_of_child", workers), listening).run()
        else:
            app = create_app(build_services(settings))
            server = _Server(_uvicorn_config(settings, app, 1), app, listening)
            server.run()
            if not server.started:
                raise ServerNotStarted("The server did not start.", "The log lines above say why.")
    except KeyboardInterrupt:
        logger.info("stopped by the keyboard")
    finally:
        if supervisor is not None:
            supervisor.stop()


def _uvicorn_config(settings: Settings, app: FastAPI | str, workers: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=settings.api.host,
        port=settings.api.port,
        workers=workers,
        log_config=None,
        access_log=False,  # a URL may hold what a customer typed
        server_header=False,
        timeout_graceful_shutdown=settings.api.shutdown_seconds,
        timeout_worker_healthcheck=_CHILD_SECONDS,
    )
