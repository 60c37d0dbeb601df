"""GPT-2 in plain torch behind ``LanguageModel``: the same code on the CPU and on CUDA."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from domain.errors import ModelUnsuitable, PromptTooLong
from generator.engines.scoring import score_continuations
from generator.engines.static_cache import Gpt2, Step
from generator.engines.weights import read_weights
from generator.language_model import ModelFolder

_SCRATCH_COLUMNS = 512  # behind the context: room for the continuations of one forward


class TorchScorer:
    """Scores continuations; keeps the last prompt's keys and values, so one that extends it costs its new tokens."""

    def __init__(self, folder: ModelFolder, threads: int, device: str = "cpu") -> None:
        self._folder = folder
        self._threads = max(1, threads)
        self._tokenizer = Tokenizer.from_file(str(folder.tokenizer_file))
        self._end: int = self._tokenizer.token_to_id(folder.end_token) or 0
        self._network = Gpt2(read_weights(folder), torch.float32, torch.device(device))
        self._cache = self._network.cache(1, folder.context_tokens + _SCRATCH_COLUMNS)
        self._cached: list[int] = []
        self._lock = threading.Lock()

    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        """See ``LanguageModel.score``."""
        tokens = self._encode(prompt) or [self._end]
        candidates = [self._encode(text) or [self._end] for text in continuations]
        longest = max(map(len, candidates), default=0)
        if len(tokens) + longest > self._folder.context_tokens:
            raise PromptTooLong(
                f"The prompt has {len(tokens)} tokens; with a continuation of {longest} that exceeds the "
                f"{self._folder.context_tokens} of {self._folder.name}.",
                "Shorten the question.",
            )
        with self._lock:
            self._fill(tokens)
            scores = score_continuations(self._network, self._cache, 0, tokens, candidates)
        if not all(map(_is_finite, scores)):
            raise ModelUnsuitable(
                f"{self._folder.name} computes likelihoods that are not finite.", "Use an earlier checkpoint."
            )
        return scores

    def _fill(self, prompt: list[int]) -> None:
        """Compute keys and values of all but the last prompt token, from where the last prompt differs on."""
        start = _common_length(self._cached, prompt[:-1])
        self._cached = self._cached[:start]
        new = prompt[start:-1]
        if new:
            places = torch.arange(start, start + len(new)).unsqueeze(0)
            visible = torch.ones(len(new), start + len(new), dtype=torch.bool).tril(start)[None, None]
            with torch.inference_mode():
                self._network.hidden(Step(torch.tensor([new]), places, places, visible), self._cache)
            self._cached = prompt[:-1]

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _common_length(one: Sequence[int], other: Sequence[int]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def _is_finite(value: float) -> bool:
    return value - value == 0.0
