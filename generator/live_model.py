"""The model that answers, kept in step with the registry while the server runs.

Each process looks at the registry's pointer about once a second, in a thread of its own. A model that was promoted is
loaded there, beside the one that answers; then one reference is swapped. An agent is made for each model, so a turn,
which keeps the agent that it began with, ends on the model that it began with. A model that cannot be used changes
nothing but the reason that health checks tell.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

from domain.errors import AnswerdeskError
from domain.models import ModelRecord
from domain.protocols import LanguageModel
from generator.agent import Agent
from generator.model_registry import ModelRegistry, release

logger = logging.getLogger(__name__)

MakeAgent = Callable[[LanguageModel | None], Agent]


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers at one moment. ``live_id`` is what the registry calls live; ``model_id`` differs when degraded.

    ``model`` None: no model can be used and passages are quoted. ``problem`` says why it is not the live one.
    """

    live_id: str
    model_id: str
    model: LanguageModel | None
    agent: Agent
    problem: str | None = None


class LiveModel:
    """Hands out what serves now. ``load`` once; ``follow`` then keeps it in step until ``close``.

    Args:
        check_seconds: pause between two looks at the pointer.
        retry_seconds: pause before a model that could not be used is tried again.
    """

    def __init__(
        self, registry: ModelRegistry, make_agent: MakeAgent, check_seconds: float = 1.0, retry_seconds: float = 60.0
    ) -> None:
        self._registry = registry
        self._make_agent = make_agent
        self._check_seconds = check_seconds
        self._retry_seconds = retry_seconds
        self._retry_at = 0.0  # monotonic
        self._serving: Serving | None = None
        self._changing = threading.Lock()
        self._closing = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def serving(self) -> Serving | None:
        """None before ``load``."""
        return self._serving

    def load(self) -> None:
        """Load the live model; if it cannot be used the one before it, else the shipped one, else none.

        Raises:
            StorageUnreachable, StorageBusy: the registry could not be read.
        """
        with self._changing:
            if self._serving is None:
                self._serving = self._load_first_usable()

    def refresh(self) -> bool:
        """One look at the pointer; loads and swaps when it moved. True when another model answers from now on.

        Raises:
            StorageUnreachable, StorageBusy
        """
        with self._changing:
            serving, live = self._serving, self._registry.live()
            if serving is None or not self._has_to_change(serving, live.model_id):
                return False
            if live.model_id == serving.model_id and serving.model is not None:  # rolled back to what still answers
                self._serving = replace(serving, live_id=live.model_id, problem=None)
                return False
            model, problem = self._try_load(live)
            if model is None:
                self._serving = replace(serving, live_id=live.model_id, problem=problem)
                return False
            self._serving = self._serve(live.model_id, live.model_id, model)
        logger.info("another model answers", extra={"model": live.model_id, "before": serving.model_id})
        return True

    def follow(self) -> None:
        """Refresh in a thread until ``close``; a second call changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="live-model", daemon=True)
            self._thread.start()

    def look_now(self) -> None:
        """End the pause between two looks, for whoever knows that the pointer moved."""
        self._wake.set()

    def close(self) -> None:
        """Stop following. Turns that still run keep their model."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._serving = None

    def _follow(self) -> None:
        was_unreachable = False
        while True:
            self._wake.wait(self._check_seconds)
            self._wake.clear()
            if self._closing:
                return
            try:
                self.refresh()
                was_unreachable = False
            except AnswerdeskError as error:  # the database: what answers goes on, and its own check reports it
                if not was_unreachable:
                    logger.warning("the model registry cannot be read", extra={"reason": error.detail})
                was_unreachable = True

    def _has_to_change(self, serving: Serving, live_id: str) -> bool:
        if serving.live_id != live_id:
            return True
        return serving.problem is not None and time.monotonic() >= self._retry_at

    def _load_first_usable(self) -> Serving:
        problems: list[str] = []
        candidates = self._registry.candidates()
        for record in candidates:
            model, problem = self._try_load(record)
            if model is not None:
                return self._serve(candidates[0].model_id, record.model_id, model, problems[0] if problems else None)
            problems.append(problem or "")
        return self._serve(candidates[0].model_id, candidates[-1].model_id, None, problems[0])

    def _try_load(self, record: ModelRecord) -> tuple[LanguageModel | None, str | None]:
        try:
            return self._registry.load(record), None
        except AnswerdeskError as error:
            problem = f"{error.detail} {error.remedy}"
            if self._serving is None or self._serving.problem != problem:  # once, not at every retry
                logger.error("a model cannot be used", extra={"model": record.model_id, "reason": error.detail})
            self._retry_at = time.monotonic() + self._retry_seconds
            return None, problem

    def _serve(self, live_id: str, model_id: str, model: LanguageModel | None, problem: str | None = None) -> Serving:
        agent = self._make_agent(model)
        # Turns hold the agent, so it dies with the last turn after a swap; only then may the engine be closed.
        weakref.finalize(agent, release, model)
        return Serving(live_id, model_id, model, agent, problem)
