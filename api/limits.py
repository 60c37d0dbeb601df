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
        self._taken = 0
        self._lock = threading.Lock()

    def count_free(self) -> int:
        return self._count - self._taken

    @contextmanager
    def take(self) -> Iterator[None]:
        """
        Raises:
            ServerBusy: every place is taken.
        """
        with self._lock:
            if self._taken == self._count:
                raise ServerBusy(f"{self._count} answers are being composed already.", "Try again in a few seconds.")
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1
