"""The index that answers, kept in step with the database: caught up before a search, swapped behind it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from domain.errors import AnswerdeskError
from retriever.opening import GenerationOpener, SearchPair
from retriever.passage_vectors import PassageVectors
from retriever.segment import make_entries
from storage.documents import DocumentStore
from storage.vectors import VectorStore

logger = logging.getLogger(__name__)

# Ingest stores the vectors of what it makes ready, so a search rarely has to embed passages. It may embed a few;
# more (after a change of the embedder) would keep the customer waiting and are left to the re-index.
_EMBED_IN_SEARCH = 64


class LiveIndex:
    """Hands out the pair of index and embedder to search with. Safe to use from several threads.

    Each search asks the database for its revision and its live generation. What was written since is added before the
    search goes on: that takes milliseconds however large the index is. A generation that was promoted is opened in a
    thread of its own while searches go on over the former one, and then swapped in by one assignment.

    Args:
        on_degraded: called after an opening that could not use the live generation, with the opening's lock released.
    """

    def __init__(
        self,
        documents: DocumentStore,
        vectors: VectorStore,
        opener: GenerationOpener,
        on_degraded: Callable[[], None] | None = None,
    ) -> None:
        self._documents = documents
        self._vectors = vectors
        self._opener = opener
        self._on_degraded = on_degraded
        self._pair: SearchPair | None = None
        self._changing = threading.Lock()  # held for milliseconds: while the pair is caught up or swapped
        self._opening = threading.Lock()  # held for as long as reading a generation takes; no search waits for it
        self._thread: threading.Thread | None = None
        self._follower: threading.Thread | None = None
        self._closing = threading.Event()

    @property
    def pair(self) -> SearchPair | None:
        """What the last search used; None before the first. Touches no database."""
        return self._pair

    def current(self) -> SearchPair:
        """What a search that starts now has to use: every write so far is in it."""
        pair = self._pair
        if pair is None:
            return self.load()
        revision, live_id = self._documents.revision(), self._opener.live_id()
        if revision < pair.snapshot.revision:
            return self.load()
        if pair.snapshot.live_id != live_id:
            self._open_behind()
        return pair if pair.snapshot.revision == revision else self._catch_up_in_place()

    def load(self) -> SearchPair:
        """As ``current``, but wait until the generation that is live now is open."""
        with self._opening:
            pair = self._pair
            is_opened = pair is None or self._is_superseded(pair)
            if is_opened:
                pair = self._caught_up(self._opener.open())
                pair.warm_up()
                with self._changing:
                    self._pair = pair = self._caught_up(pair)
            else:
                pair = self._catch_up_in_place()
        if is_opened and pair.snapshot.degraded is not None and self._on_degraded is not None:
            self._on_degraded()
        return pair

    def follow(self, seconds: float = 1.0) -> None:
        """Look every second whether something changed, until ``close``: what was written while nobody searched is then
        there before the next search asks for it. A second call changes nothing."""
        if self._follower is None:
            self._follower = threading.Thread(target=self._follow, args=(seconds,), name="live-index", daemon=True)
            self._follower.start()

    def close(self) -> None:
        """Stop following, and wait for an opening that is under way."""
        self._closing.set()
        for thread in (self._follower, self._thread):
            if thread is not None:
                thread.join()

    def _follow(self, seconds: float) -> None:
        while not self._closing.wait(seconds):
            with suppress(AnswerdeskError):  # the database is away: its own check reports it, and searches fail
                self.current()

    def _is_superseded(self, pair: SearchPair) -> bool:
        """A lower revision than ours means that the database was restored from a backup: begin anew."""
        snapshot = pair.snapshot
        return snapshot.live_id != self._opener.live_id() or self._documents.revision() < snapshot.revision

    def _open_behind(self) -> None:
        if self._opening.locked():
            return
        self._thread = threading.Thread(target=self._open_quietly, name="open-generation", daemon=True)
        self._thread.start()

    def _open_quietly(self) -> None:
        try:
            self.load()
        except AnswerdeskError as error:  # the database or the disk; the next search starts another attempt
            logger.warning("A generation could not be opened", extra={"reason": error.detail})

    def _catch_up_in_place(self) -> SearchPair:
        with self._changing:
            assert self._pair is not None, "there is a pair to catch up with"
            self._pair = self._caught_up(self._pair)
            return self._pair

    def _caught_up(self, pair: SearchPair) -> SearchPair:
        snapshot = pair.snapshot
        if snapshot.revision == self._documents.revision():
            return pair
        changes = self._documents.changes_since(snapshot.revision)
        found = PassageVectors(self._vectors, pair.embedder).find(changes.added, embed_at_most=_EMBED_IN_SEARCH)
        entries = make_entries(changes.added, found.by_key)
        logger.info(
            "Caught up with the database",
            extra={"revision": changes.revision, "added": len(entries), "removed": len(changes.removed)},
        )
        return replace(pair, snapshot=snapshot.advance(changes.revision, entries, changes.removed))
