"""Loading the models when the server starts, again and again if the database is not there yet."""

from __future__ import annotations

import logging
import threading

import anyio
from anyio.to_thread import run_sync

from api.bootstrap import Services
from api.errors import ServerStarting
from domain.errors import AnswerdeskError

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds


class Startup:
    """Whether this process can answer yet, and what stands in the way. The server is up and says so meanwhile."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._loaded = threading.Event()
        self.problem: AnswerdeskError | None = None

    @property
    def is_loaded(self) -> bool:
        return self._loaded.is_set()

    def require_loaded(self) -> None:
        """
        Raises:
            ServerStarting: the models or the database are not usable yet.
        """
        if not self.is_loaded:
            reason = self.problem.title if self.problem else "The models are being loaded"
            raise ServerStarting(f"The server cannot answer yet: {reason}.", "Try again in a few seconds.")

    def load_once(self) -> bool:
        """True when everything is loaded; an error of ours is kept as ``problem`` for the readiness report."""
        try:
            self._services.prepare_storage()
            self._services.load_answering()
            self._services.live_model.follow()
            self._services.retriever.follow()
        except AnswerdeskError as error:
            self.problem = error
            logger.error("start-up failed; trying again", extra={"reason": error.detail})
            return False
        self.problem = None
        self._loaded.set()
        return True

    async def keep_trying(self) -> None:
        """After a failed first attempt: try again with growing pauses until it works."""
        pause = _FIRST_PAUSE
        while not self.is_loaded:
            await anyio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            await run_sync(self.load_once)
