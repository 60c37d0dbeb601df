"""GPT-2 in plain torch behind ``LanguageModel``: the same code on the CPU and on CUDA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from tokenizers import Tokenizer

from domain.errors import AnswerdeskError, ModelUnsuitable, PromptTooLong
from generator.engines.byte_level import ByteLevelDecoder
from generator.engines.decoder import Decoder
from generator.engines.jobs import Generation, Scoring
from generator.engines.model_folder import ModelFolder
from generator.engines.precision import best_precision
from generator.engines.scheduler import Scheduler
from generator.engines.static_cache import Gpt2
from generator.engines.weights import read_weights

_CPU_SLOTS, _CUDA_SLOTS = 8, 64
_CPU_DRAFT_TOKENS = 10  # a forward of eleven tokens costs about what one of a single token does
_CUDA_STEPS = 16  # tokens between two looks at the device


class TorchLanguageModel:
    """``LanguageModel`` over a scheduler. Callers of any number of threads share its batch."""

    def __init__(self, folder: ModelFolder, tokenizer: Tokenizer, scheduler: Scheduler) -> None:
        self._folder = folder
        self._tokenizer = tokenizer
        self._scheduler = scheduler
        self._end = _end_id(tokenizer, folder)

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def context_tokens(self) -> int:
        return self._folder.context_tokens

    @property
    def is_grounded(self) -> bool:
        return self._folder.is_grounded

    def count_tokens(self, text: str) -> int:
        return len(self._encode(text))

    def generate(self, prompt: str, max_new_tokens: int) -> Iterator[str]:
        """See ``LanguageModel.generate``. The length is checked before the iterator is returned."""
        tokens = self._encode(prompt) or [self._end]
        self._check_length(len(tokens), max_new_tokens)
        return self._stream(tokens, max_new_tokens)

    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        """See ``LanguageModel.score``."""
        tokens = self._encode(prompt) or [self._end]
        candidates = [self._encode(text) or [self._end] for text in continuations]
        self._check_length(len(tokens), max(map(len, candidates), default=0))
        if not candidates:
            return []
        job = Scoring(tokens, candidates)
        self._scheduler.submit(job)
        scores = job.mailbox.get()
        if isinstance(scores, AnswerdeskError):
            raise scores
        return scores

    def close(self) -> None:
        """Finish what was asked, refuse anything new, end the thread."""
        self._scheduler.close()

    def _stream(self, tokens: list[int], max_new_tokens: int) -> Iterator[str]:
        decoder = ByteLevelDecoder()
        job = Generation(tokens, max_new_tokens)
        self._scheduler.submit(job)
        try:
            while (said := job.mailbox.get()) is not None:
                if isinstance(said, AnswerdeskError):
                    raise said
                for token in said:
                    if piece := decoder.feed(self._tokenizer.id_to_token(token) or ""):
                        yield piece
        finally:
            job.is_cancelled = True  # else the batch computes on for nobody
        if rest := decoder.finish():
            yield rest

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _check_length(self, prompt: int, new: int) -> None:
        if prompt + new > self.context_tokens:
            raise PromptTooLong(
                f"The prompt has {prompt} tokens; with {new} new ones that exceeds the "
                f"{self.context_tokens} of {self.name}.",
                "Shorten the question.",
            )


def load_torch_model(
    folder: ModelFolder,
    threads: int,
    device: str = "auto",
) -> TorchLanguageModel:
    """Read the weights and make the engine; its thread begins with the first request.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ModelMissing, ModelUnsuitable: see ``read_weights``; also CUDA asked for where there is none.
    """
    place = torch.device(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    on_cuda = place.type == "cuda"
    if on_cuda and not torch.cuda.is_available():
        raise ModelUnsuitable("CUDA was asked for, but torch sees no such device.", "Use the CPU, or mend the driver.")
    draft_tokens = 0 if on_cuda else _CPU_DRAFT_TOKENS  # on CUDA captured steps are as fast as verifying
    network = Gpt2(read_weights(folder), best_precision(place), place)
    decoder = Decoder(network, _CUDA_SLOTS if on_cuda else _CPU_SLOTS)
    tokenizer = Tokenizer.from_file(str(folder.tokenizer_file))
    end = _end_id(tokenizer, folder)
    scheduler = Scheduler(decoder, end, max(1, threads), draft_tokens, _CUDA_STEPS if on_cuda else 1)
    return TorchLanguageModel(folder, tokenizer, scheduler)


def _end_id(tokenizer: Tokenizer, folder: ModelFolder) -> int:
    end = tokenizer.token_to_id(folder.end_token)
    assert end is not None  # the folder's inspection read the token from this tokenizer
    return int(end)
