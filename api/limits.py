"""How many answers may be composed at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import ServerBusy


class AnswerSlots:
    """A fixed number of places; nobody waits for one, because a waiting customer holds a thread."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def take(self) -> Iterator[None]:
        """
        Raises:
            ServerBusy: every place is taken.
        """
        if not self._free.acquire(blocking=False):
            raise ServerBusy(f"{self._count} answers are being composed already.", "Try again in a few seconds.")
        try:
            yield
        finally:
            self._free.release()
