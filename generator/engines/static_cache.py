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

from generator.engines.weights import Affine, BlockWeights, Gpt2Shape, Gpt2Weights


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
        # Key beside value, so that a token's two are written at once; the heads of a token beside each other.
        size = (shape.layers, slots, columns + 1, 2, shape.heads, shape.head_width)
        self.states = torch.zeros(size, dtype=dtype, device=device)
        self.columns = columns

    @property
    def bin(self) -> int:
        """The column that nobody looks at."""
        return self.columns


class Gpt2:
    """The network. Holds weights in ``dtype`` on ``device``; keeps no state between steps: that is the cache's.

    ``tokens``, ``positions``, ``blocks``, ``norm`` and ``head`` are those of ``Gpt2Weights``.
    """

    def __init__(self, weights: Gpt2Weights, dtype: torch.dtype, device: torch.device) -> None:
        self.shape = weights.shape
        self.dtype = dtype
        self.device = device
        self.tokens = weights.tokens.to(device, dtype)
        self.positions = weights.positions.to(device, dtype)
        self.head = self.tokens if weights.head is weights.tokens else weights.head.to(device, dtype)
        self.norm = weights.norm.to(device, dtype)
        self.blocks = [block.to(device, dtype) for block in weights.blocks]

    def cache(self, slots: int, columns: int) -> StaticCache:
        return StaticCache(self.shape, slots, columns, self.dtype, self.device)

    def hidden(self, step: Step, cache: StaticCache) -> Tensor:
        """Normalised last-layer states, (B, T, width); writes the tokens' keys and values into the cache."""
        x = self._embed(step)
        for layer, block in enumerate(self.blocks):
            x = self._transform(block, x, self._remember(layer, x, step, cache), step)
        return self._normalise(x, self.norm)

    def fill(self, step: Step, cache: StaticCache) -> None:
        """Only write the keys and values, which spares most of the last layer: a quarter of four layers' work."""
        x = self._embed(step)
        for layer, block in enumerate(self.blocks[:-1]):
            x = self._transform(block, x, self._remember(layer, x, step, cache), step)
        self._remember(len(self.blocks) - 1, x, step, cache)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) -> (..., vocabulary) float32."""
        return F.linear(hidden, self.head).float()

    def _embed(self, step: Step) -> Tensor:
        return F.embedding(step.tokens, self.tokens) + F.embedding(step.positions, self.positions)

    def _remember(self, layer: int, x: Tensor, step: Step, cache: StaticCache) -> tuple[Tensor, Tensor]:
        """Queries (B, T, heads, head), and their slots' states (B, columns, 2, heads, head), now with ``x``."""
        block, (batch, length) = self.blocks[layer], step.tokens.shape
        y = F.linear(self._normalise(x, block.norm_1), block.qkv.weight, block.qkv.bias)
        y = y.view(batch, length, 3, self.shape.heads, self.shape.head_width)
        states = cache.states[layer, step.first_slot : step.first_slot + batch]
        rows = torch.arange(batch, device=self.device).unsqueeze(1)
        states[rows, step.columns] = y[:, :, 1:]
        return y[:, :, 0], states

    def _transform(self, block: BlockWeights, x: Tensor, remembered: tuple[Tensor, Tensor], step: Step) -> Tensor:
        """The layer's attention and its two-layer perceptron, each added to what came in: (B, T, width)."""
        queries, states = remembered
        keys, values = states[:, : step.visible.shape[-1]].unbind(2)
        attended = F.scaled_dot_product_attention(
            queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), attn_mask=step.visible
        )  # (B, heads, T, head)
        x = x + F.linear(attended.transpose(1, 2).flatten(2), block.merge.weight, block.merge.bias)
        wide = F.linear(self._normalise(x, block.norm_2), block.widen.weight, block.widen.bias)
        wide = F.gelu(wide, approximate=self.shape.gelu)
        return x + F.linear(wide, block.narrow.weight, block.narrow.bias)

    def _normalise(self, x: Tensor, norm: Affine) -> Tensor:
        return F.layer_norm(x, (self.shape.width,), norm.weight, norm.bias, self.shape.epsilon)
