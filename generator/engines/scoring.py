"""The likelihood of many continuations of one prompt, in one forward.

The continuations lie behind the prompt in one row; each token sees the prompt and the tokens of its own continuation
before it (a tree of depth one, as in SpecInfer, https://arxiv.org/abs/2305.09781). No padding, no copy of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from generator.engines.static_cache import Gpt2, StaticCache, Step

_PREFIX = -1  # the owner of a column that everybody sees
_PACKED_TOKENS = 512  # tokens of one forward: enough to keep the cores busy, and it bounds the logits to 512 rows


def score_continuations(
    network: Gpt2, cache: StaticCache, slot: int, prompt: Sequence[int], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """Summed log-probability in nats of each continuation. The slot holds the prompt, its last token excepted.

    Every continuation has at least one token, and the slot has room for the longest one behind the prompt.
    """
    scores: list[float] = []
    with torch.inference_mode():
        for group in _groups(continuations, min(_PACKED_TOKENS, cache.columns - len(prompt))):
            scores += _score_group(network, cache, slot, prompt, group)
    return scores


def _groups(continuations: Sequence[Sequence[int]], most_tokens: int) -> Iterator[list[Sequence[int]]]:
    group: list[Sequence[int]] = []
    tokens = 0
    for continuation in continuations:
        inputs = len(continuation) - 1  # the last token is asked for, never read
        if group and tokens + inputs > most_tokens:
            yield group
            group, tokens = [], 0
        group.append(continuation)
        tokens += inputs
    if group:
        yield group


def _score_group(
    network: Gpt2, cache: StaticCache, slot: int, prompt: Sequence[int], group: Sequence[Sequence[int]]
) -> list[float]:
    start = len(prompt) - 1
    tokens, positions, owners = [prompt[-1]], [start], [_PREFIX]
    predictors: list[int] = []  # which packed token predicts ...
    targets: list[int] = []  # ... which token ...
    members: list[int] = []  # ... of which continuation
    for owner, continuation in enumerate(group):
        predictors += [0, *range(len(tokens), len(tokens) + len(continuation) - 1)]
        targets += continuation
        members += [owner] * len(continuation)
        tokens += continuation[:-1]
        positions += range(start + 1, start + len(continuation))
        owners += [owner] * (len(continuation) - 1)
    device = network.device
    step = Step(
        tokens=torch.tensor([tokens], device=device),
        positions=torch.tensor([positions], device=device),
        columns=torch.arange(start, start + len(tokens), device=device).unsqueeze(0),
        visible=_tree_mask(owners, start, device),
        first_slot=slot,
    )
    logits = network.logits(network.hidden(step, cache)[0])  # (T, vocabulary)
    at, of = torch.tensor(predictors, device=device), torch.tensor(targets, device=device)
    log_probabilities = logits[at, of] - logits.logsumexp(dim=-1)[at]
    sums = torch.zeros(len(group), device=device).index_add_(0, torch.tensor(members, device=device), log_probabilities)
    return [float(value) for value in sums.tolist()]


def _tree_mask(owners: Sequence[int], start: int, device: torch.device) -> Tensor:
    """(1, 1, T, start + T) bool."""
    of_token = torch.tensor(owners, device=device)
    of_column = torch.cat([torch.full((start,), _PREFIX, device=device), of_token])
    causal = torch.ones(len(owners), start + len(owners), dtype=torch.bool, device=device).tril(start)
    shared = of_column == _PREFIX
    return (causal & (shared | (of_column == of_token.unsqueeze(1))))[None, None]
