"""Continuous batching: one thread owns the network; requests of any thread join and leave its batch between steps.

As in Orca (https://www.usenix.org/conference/osdi22/presentation/yu): nobody waits for the slowest of a batch. A new
request goes first, since its prompt is one forward and its first words are what a person waits for. A scoring is one
visit: it is computed where it would join, and never becomes a row of the batch.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from dataclasses import dataclass

import torch

from domain.errors import AnswerdeskError, ModelUnsuitable, Unavailable
from generator.engines.decoder import NOT_FINITE, Decoder, Pending
from generator.engines.jobs import Generation, Job, Scoring
from generator.engines.lookup import PromptLookup
from generator.engines.slots import Slots

_MOST_DRAFTED_ROWS = 8  # a larger batch keeps the device busy without guessing

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Running:
    """A generation in its slot. Keys and values are computed for all of ``known`` but the last token."""

    job: Generation
    slot: int
    known: list[int]
    left: int
    lookup: PromptLookup | None


class Scheduler:
    """Runs jobs on a decoder. The thread begins with the first job and ends with ``close``.

    Args:
        threads: CPU threads of one forward.
        draft_tokens: most tokens guessed ahead by prompt lookup and verified in one forward; 0 guesses nothing.
        steps: tokens decoded between two looks at the device when nothing is guessed; 1 where looking is free.
    """

    def __init__(self, decoder: Decoder, end_token: int, threads: int, draft_tokens: int, steps: int) -> None:
        self._decoder = decoder
        self._end_token = end_token
        self._threads = threads
        self._draft_tokens = draft_tokens
        self._steps = steps
        self._slots = Slots(decoder.slots, prefer_low=decoder.is_captured)
        self._running: dict[int, _Running] = {}
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Hand in a job; its mailbox fills from the scheduler's thread.

        Raises:
            Unavailable: after ``close``.
        """
        with self._changed:
            if self._is_closed:
                raise _closed()
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="language-model", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Refuse new jobs, finish those handed in, end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _serve(self) -> None:
        try:
            torch.set_num_threads(self._threads)
            with torch.inference_mode():
                while self._wait():
                    self._admit()
                    self._advance()
        finally:  # only a fault of ours leaves anything here, and nobody may wait for ever because of it
            with self._changed:
                self._is_closed = True
                left = [*self._waiting, *(running.job for running in self._running.values())]
            for job in left:
                job.fail(_closed())

    def _wait(self) -> bool:
        """Until there is something to do; False when there will never be."""
        with self._changed:
            while not (self._waiting or self._running):
                if self._is_closed:
                    return False
                self._changed.wait()
            return True

    def _admit(self) -> None:
        while self._slots.any_free:
            with self._changed:
                if not self._waiting:
                    return
                job = self._waiting.popleft()
            if not job.is_cancelled:
                self._begin(job)

    def _begin(self, job: Job) -> None:
        slot, held = self._slots.take(job.prompt[:-1])
        try:
            self._decoder.fill(slot, job.prompt[held:-1], held)
            if isinstance(job, Scoring):
                scores = self._decoder.score(slot, job.prompt, job.continuations)
        except Exception as error:  # noqa: BLE001  # of any kind: it may not take the other questions along
            self._slots.give_back(slot, ())
            job.fail(_failed(error))
            return
        if isinstance(job, Generation):
            lookup = PromptLookup(job.prompt) if self._draft_tokens else None
            self._running[slot] = _Running(job, slot, list(job.prompt), job.most, lookup)
        elif all(map(math.isfinite, scores)):
            self._slots.give_back(slot, job.prompt)
            job.mailbox.put(scores)
        else:
            self._discard(slot)
            job.fail(_not_finite())

    def _advance(self) -> None:
        for running in [r for r in self._running.values() if r.job.is_cancelled]:
            self._leave(running)
        if not self._running:
            return
        pending = {slot: self._pending(running) for slot, running in self._running.items()}
        try:
            if any(row.draft for row in pending.values()):
                said = self._decoder.verify(pending)
            else:
                said = self._decoder.advance(pending, self._steps)
        except Exception as error:  # noqa: BLE001  # see above
            for running in list(self._running.values()):
                self._stop(running, _failed(error))
            return
        for slot, tokens in said.items():
            self._hear(self._running[slot], tokens)

    def _pending(self, running: _Running) -> Pending:
        position = len(running.known) - 1
        if running.lookup is None or len(self._running) > _MOST_DRAFTED_ROWS:
            return Pending(running.known[-1], position)
        # The verifying forward says one token more than the draft has.
        draft = running.lookup.draft(min(self._draft_tokens, running.left - 1))
        return Pending(running.known[-1], position, draft)

    def _hear(self, running: _Running, tokens: list[int]) -> None:
        kept: list[int] = []
        for token in tokens[: running.left]:
            if token == NOT_FINITE:
                self._stop(running, _not_finite())
                return
            if token == self._end_token:
                running.left = len(kept)
                break
            kept.append(token)
        running.known += kept
        running.left -= len(kept)
        if running.lookup is not None:
            running.lookup.extend(kept)
        if kept:
            running.job.mailbox.put(kept)
        if running.left == 0:
            running.job.mailbox.put(None)
            self._leave(running)

    def _stop(self, running: _Running, error: AnswerdeskError) -> None:
        self._discard(running.slot)
        running.job.fail(error)

    def _leave(self, running: _Running) -> None:
        del self._running[running.slot]
        self._slots.give_back(running.slot, running.known[:-1])

    def _discard(self, slot: int) -> None:
        """Give a slot back whose content is not to be used again."""
        self._running.pop(slot, None)
        self._decoder.clear(slot)
        self._slots.give_back(slot, ())


def _closed() -> Unavailable:
    return Unavailable("The language model was shut down.", "Ask again in a moment.")


def _failed(error: Exception) -> Unavailable:
    logger.error("a forward of the language model failed", extra={"reason": str(error)[:500]})
    return Unavailable(
        "The language model failed on this question.", "Ask again; if it goes on, look at the log and free memory."
    )


def _not_finite() -> ModelUnsuitable:
    return ModelUnsuitable(
        "The language model computes numbers that are not finite.",
        "Roll back to an earlier model; this one is damaged.",
    )
