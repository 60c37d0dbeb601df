"""How a sentence-transformers folder is run: packed where it is a plain BERT, in its own framework where it is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from domain.protocols import Vectors
from retriever.bert import PackedBert, can_pack, multiplies_bfloat16

# Tokens side by side in one step. Fewer waste calls; more leave a thread without work at the end.
_TOKENS = 2048
_BATCH = 32


class Encoder(Protocol):
    """``split`` runs in the caller's thread, ``encode`` in several threads at once."""

    def split(self, texts: Sequence[str]) -> list[tuple[list[int], Any]]:
        """Batches of texts of about one length, longest first: their places in ``texts``, and what ``encode`` takes."""
        ...

    def encode(self, batch: Any) -> Vectors:
        """(texts of the batch, dimension) float32, L2-normalised."""
        ...


def open_encoder(folder: Path, precision: str) -> Encoder:
    """
    Raises:
        OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError: by which file is broken.
    """
    config, pooling = _json(folder / "config.json"), _json(folder / "1_Pooling" / "config.json")
    if not can_pack(config, pooling):
        return FrameworkEncoder(folder, precision)
    longest = int(_json(folder / "sentence_bert_config.json")["max_seq_length"])
    model = PackedBert(load_file(folder / "model.safetensors"), config["num_attention_heads"], _dtype(precision))
    encoder = PackedEncoder(model, folder / "tokenizer.json", longest)
    ((_, batch),) = encoder.split(["warm"])
    encoder.encode(batch)  # weights of a wrong shape are found here
    return encoder


def _dtype(precision: str) -> torch.dtype:
    """Where the processor has to imitate bfloat16 it takes six times as long as float32; the vectors agree to 0.998."""
    return torch.bfloat16 if precision == "bf16" and multiplies_bfloat16() else torch.float32


class PackedEncoder:
    def __init__(self, model: PackedBert, tokenizer: Path, longest: int) -> None:
        _json(tokenizer)  # the tokenizer's own complaint about a broken file has no type to catch
        self._model = model
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(longest, model.longest))

    def split(self, texts: Sequence[str]) -> list[tuple[list[int], Any]]:
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        batches: list[list[int]] = []
        room = 0
        for place in sorted(range(len(ids)), key=lambda place: -len(ids[place])):
            if len(ids[place]) > room:
                batches.append([])
                room = _TOKENS
            batches[-1].append(place)
            room -= len(ids[place])
        return [(places, [ids[place] for place in places]) for places in batches]

    def encode(self, batch: Any) -> Vectors:
        return self._model.encode(batch)


class FrameworkEncoder:
    def __init__(self, folder: Path, precision: str) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        self._lock = threading.Lock()  # the tokenizer must not be entered twice
        self._model: Any = SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": _dtype(precision), "use_safetensors": True},
        )

    def split(self, texts: Sequence[str]) -> list[tuple[list[int], Any]]:
        return list(_by_length(texts))

    def encode(self, batch: Any) -> Vectors:
        transformer, *rest = self._model
        with torch.inference_mode():
            with self._lock:
                features = self._model.preprocess(batch)
            features = transformer(features)
            features["token_embeddings"] = features["token_embeddings"].float()  # (texts, tokens, dimension)
            for module in rest:
                features = module(features)
            pooled = torch.nn.functional.normalize(features["sentence_embedding"].float(), dim=1)
        return np.asarray(pooled.numpy(), dtype=np.float32)


def _by_length(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    """A batch is padded to its longest text."""
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    for start in range(0, len(order), _BATCH):
        places = order[start : start + _BATCH]
        yield places, [texts[place] for place in places]


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
