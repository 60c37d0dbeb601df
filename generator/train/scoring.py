"""A model as it stands in training behind ``LanguageModel``, to measure an adapter that no engine can serve.

Plain and slow: every call reads the whole prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from domain.errors import PromptTooLong
from generator.train.adapters import FullWeights


class AdaptedModel:
    """See ``domain.protocols.LanguageModel``."""

    is_grounded = True

    def __init__(self, weights: FullWeights, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        self._weights = weights
        self._tokenizer = tokenizer
        self._end = int(weights.model.config.eos_token_id)
        self.name = name
        self.context_tokens = int(weights.model.config.n_positions)

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text))

    @torch.no_grad()
    def generate(self, prompt: str, max_new_tokens: int) -> Iterator[str]:
        """Greedy, a token at a time; the text is handed out at the end."""
        model = self._weights.model.eval()
        start = tokens = self._tokenizer.encode(prompt)
        if len(start) + max_new_tokens > self.context_tokens:
            raise PromptTooLong(
                f"The prompt has {len(start)} tokens and {max_new_tokens} are to follow; {self.context_tokens} fit.",
                "Shorten the question.",
            )
        while len(tokens) < len(start) + max_new_tokens:
            states = self._weights.hidden_states(torch.tensor([tokens], device=model.device))
            following = int(model.lm_head(states[0, -1]).argmax())
            if following == self._end:
                break
            tokens = [*tokens, following]
        return iter([self._tokenizer.decode(tokens[len(start) :])])

    @torch.no_grad()
    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        """Summed log-probability in nats of each continuation's tokens after the prompt; empty asks for end-of-text.

        Raises:
            PromptTooLong: prompt and longest continuation exceed the context.
        """
        if not continuations:
            return []
        start = self._tokenizer.encode(prompt)
        ends = [self._tokenizer.encode(one) or [self._end] for one in continuations]
        length = len(start) + max(map(len, ends))
        if length > self.context_tokens:
            raise PromptTooLong(
                f"Prompt and continuation have {length} tokens, the model's context {self.context_tokens}.",
                "Shorten the question.",
            )
        model = self._weights.model.eval()
        tokens = torch.full((len(ends), length), self._end)
        for row, end in enumerate(ends):
            tokens[row, : len(start) + len(end)] = torch.tensor(start + end)
        tokens = tokens.to(model.device)
        states = self._weights.hidden_states(tokens)[:, len(start) - 1 : -1]  # those that predict a continuation
        gains = _log_probabilities(model.lm_head(states), tokens[:, len(start) :])
        return [float(gains[row, : len(end)].sum()) for row, end in enumerate(ends)]


def _log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """(rows, n, vocabulary) and (rows, n) -> (rows, n)."""
    log_probabilities = functional.log_softmax(logits.float(), dim=-1)
    return log_probabilities.gather(-1, tokens[..., None])[..., 0]
