"""Customers who ask at the same time are embedded together: a batch of short texts costs little more than one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from domain.protocols import Vectors

_TOGETHER = 64  # texts; more would keep those who came first waiting


class _Waiting:
    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.vectors: Vectors | None = None


class QueryBatcher:
    """Calls ``encode`` from one thread at a time. Whoever gets the turn encodes for all that wait.

    Nobody waits for company: a lone query is encoded at once. When ``encode`` fails, whoever had the turn gets the
    error and the others wait for another one.
    """

    def __init__(self, encode: Callable[[Sequence[str]], Vectors]) -> None:
        self._encode = encode
        self._turn = threading.Lock()
        self._queue: deque[_Waiting] = deque()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        mine = _Waiting(texts)
        self._queue.append(mine)
        while mine.vectors is None:
            with self._turn:
                if mine.vectors is None:
                    self._serve(mine)
        return mine.vectors

    def _serve(self, mine: _Waiting) -> None:
        """``mine`` and those who came first, up to a batch."""
        self._queue.remove(mine)
        served, texts = [mine], list(mine.texts)
        while self._queue and len(texts) + len(self._queue[0].texts) <= _TOGETHER:
            served.append(self._queue.popleft())
            texts.extend(served[-1].texts)
        try:
            vectors = self._encode(texts)
            for one in served:
                one.vectors, vectors = vectors[: len(one.texts)], vectors[len(one.texts) :]
        finally:
            self._queue.extend(one for one in served[1:] if one.vectors is None)
