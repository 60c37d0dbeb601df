"""GPT-2 in plain torch over a static key-value cache: one forward for prompts, single steps, drafts and candidates.

A cache has *slots* (one a sequence) of *columns* (one a token). What differs between the uses is only which columns
a token writes and which it may look at, so that is what a ``Step`` says:

- a prompt: one row of many tokens, each sees the columns up to its own;
- a decoding step: one token a row, every row its own slot;
- a draft to verify: the same with a few tokens a row;
- candidates on a shared prefix: one row in which each candidate sees the prefix and itself, not its neighbours.

Shapes never depend on values and nothing is read back, so a step can be captured as a CUDA graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # the field's name for it
from torch import Tensor

from generator.engines.weights import Affine, Gpt2Shape, Gpt2Weights


@dataclass(frozen=True, slots=True)
class Step:
    """What one forward computes. B rows are the slots ``first_slot`` and following; T tokens a row.

    ``visible`` is as wide as the columns that anybody looks at. Every token must see at least one column.
    """

    tokens: Tensor  # (B, T) int64
    positions: Tensor  # (B, T) int64, which position embedding
    columns: Tensor  # (B, T) int64, where keys and values are written
    visible: Tensor  # (B, 1, T, columns) bool
    first_slot: int = 0


class StaticCache:
    """Keys and values of ``slots`` sequences; the last column is a bin for tokens that only fill up a row."""

    def __init__(self, shape: Gpt2Shape, slots: int, columns: int, dtype: torch.dtype, device: torch.device) -> None:
        size = (shape.layers, slots, columns + 1, shape.heads, shape.head_width)
        self.keys = torch.zeros(size, dtype=dtype, device=device)
        self.values = torch.zeros(size, dtype=dtype, device=device)
        self.columns = columns

    @property
    def slots(self) -> int:
        return self.keys.shape[1]

    @property
    def bin(self) -> int:
        """The column that nobody looks at."""
        return self.columns


class Gpt2:
    """The network. Holds weights in ``dtype`` on ``device``; keeps no state between steps: that is the cache's."""

    def __init__(self, weights: Gpt2Weights, dtype: torch.dtype, device: torch.device) -> None:
        self.shape = weights.shape
        self.dtype = dtype
        self.device = device
        self._tokens = weights.tokens.to(device, dtype)
        self._positions = weights.positions.to(device, dtype)
        self._head = self._tokens if weights.head is weights.tokens else weights.head.to(device, dtype)
        self._norm = weights.norm.to(device, dtype)
        self._blocks = [block.to(device, dtype) for block in weights.blocks]

    def cache(self, slots: int, columns: int) -> StaticCache:
        return StaticCache(self.shape, slots, columns, self.dtype, self.device)

    def hidden(self, step: Step, cache: StaticCache) -> Tensor:
        """Normalised last-layer states, (B, T, width); writes the tokens' keys and values into the cache."""
        batch, length = step.tokens.shape
        shape = self.shape
        seen = step.visible.shape[-1]
        slots = slice(step.first_slot, step.first_slot + batch)
        rows = torch.arange(batch, device=self.device).unsqueeze(1)
        x = F.embedding(step.tokens, self._tokens) + F.embedding(step.positions, self._positions)
        for layer, block in enumerate(self._blocks):
            y = F.linear(self._normalise(x, block.norm_1), block.qkv.weight, block.qkv.bias)
            q, k, v = y.view(batch, length, 3, shape.heads, shape.head_width).unbind(2)  # each (B, T, heads, head)
            keys, values = cache.keys[layer, slots], cache.values[layer, slots]
            keys[rows, step.columns] = k
            values[rows, step.columns] = v
            attended = F.scaled_dot_product_attention(
                q.transpose(1, 2),
                keys[:, :seen].transpose(1, 2),
                values[:, :seen].transpose(1, 2),
                attn_mask=step.visible,
            )  # (B, heads, T, head)
            x = x + F.linear(attended.transpose(1, 2).flatten(2), block.merge.weight, block.merge.bias)
            y = F.gelu(
                F.linear(self._normalise(x, block.norm_2), block.widen.weight, block.widen.bias), approximate=shape.gelu
            )
            x = x + F.linear(y, block.narrow.weight, block.narrow.bias)
        return self._normalise(x, self._norm)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) -> (..., vocabulary) float32."""
        return F.linear(hidden, self._head).float()

    def _normalise(self, x: Tensor, norm: Affine) -> Tensor:
        return F.layer_norm(x, (self.shape.width,), norm.weight, norm.bias, self.shape.epsilon)
