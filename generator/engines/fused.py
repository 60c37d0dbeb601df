"""GPT-2's decoding step in five kernels a layer, for CUDA.

A step of one stream is bound by the time to start a kernel, a step of many streams by reading keys and values. So a
layer is: norm and query-key-value product, attention, merging product, norm and widening product, narrowing product,
each with what goes before and after folded into it. From sixteen rows on the norms are kernels of their own, and what
is added to the residual stream is summed there in float32 by many blocks at once. Attention reads the columns that a
row has and no more, so one captured graph serves every length. Triton comes with torch's builds for CUDA.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from generator.engines import kernels
from generator.engines.static_cache import Gpt2, StaticCache
from generator.engines.weights import Affine

_ACTIVATIONS = {"tanh": 1, "none": 2}
_SPLITS = 8  # of a single row's columns: its heads alone would leave most of the card idle
_SAME = 16  # rows of a query: see ``kernels.attend``
_ATTEND_BLOCK, _ATTEND_STAGES = 64, 4  # columns, and how many such blocks are on their way
_PICK_BLOCK = 1024  # blocks of the vocabulary that are compared at once
_MANY_OUTPUTS = 8192  # a vocabulary has more
# docs/engines.md has what else was measured with 64 rows on an H100; nothing between 17 and 63 rows was.
_MANY_ROWS = 16
_MANY_BLOCK_N, _MANY_BLOCK_K = 32, 128
_SPLIT_ROWS = 32  # from here on the batch goes in halves beside each other: one multiplies while the other one reads


@dataclass(frozen=True, slots=True)
class StepState:
    """What a step reads and moves on, for all slots: see ``Decoder``."""

    tokens: Tensor
    columns: Tensor
    strides: Tensor
    emitted: Tensor  # (steps, slots)
    count: Tensor  # (1,)


class FusedStep:
    """The step of ``Decoder`` for rows that begin at slot 0; needs CUDA, 16-bit weights and a head width of 2**n."""

    def __init__(self, network: Gpt2, cache: StaticCache, state: StepState, slots: int) -> None:
        self._network = network
        self._cache = cache
        self._state = state
        shape = network.shape
        wide = network.blocks[0].widen.weight.shape[0]

        def room(width: int, dtype: torch.dtype = network.dtype) -> Tensor:
            return torch.empty(slots, width, dtype=dtype, device=network.device)

        self._x, self._y = room(shape.width), room(shape.width)
        self._summed = room(shape.width, torch.float32)  # the residual stream of many rows
        self._qkv, self._attended, self._wide = room(3 * shape.width), room(shape.width), room(wide)
        self._parts = torch.empty(_SPLITS, shape.width, dtype=torch.float32, device=network.device)
        self._peaks = torch.empty(_SPLITS, shape.heads, dtype=torch.float32, device=network.device)
        self._masses = torch.empty_like(self._peaks)
        self._offsets = _offsets(network)
        blocks = max(triton.cdiv(shape.vocabulary, _block_n(rows, shape.vocabulary)) for rows in (1, slots))
        self._best, self._places = room(blocks, torch.float32), room(blocks, torch.int32)
        on_cuda = network.device.type == "cuda"
        self._beside = torch.cuda.Stream(network.device) if on_cuda else None  # type: ignore[no-untyped-call]  # torch's

    def __call__(self, rows: int) -> None:
        """One token for each of the first ``rows`` slots."""
        if self._beside is None or rows < _SPLIT_ROWS:
            self._layers(slice(0, rows))
        else:
            here, half = torch.cuda.current_stream(self._network.device), rows // 2
            self._beside.wait_stream(here)
            with torch.cuda.stream(self._beside):
                self._layers(slice(half, rows))
            self._layers(slice(0, half))
            here.wait_stream(self._beside)
        self._choose(rows)
        self._state.count.add_(1)

    def _layers(self, used: slice) -> None:
        network, state, rows = self._network, self._state, used.stop - used.start
        x, layer_of = (self._x, self._layer) if rows < _MANY_ROWS else (self._summed, self._layer_of_many)
        width, context = network.shape.width, network.shape.context
        tokens, columns = state.tokens[used], state.columns[used]
        kernels.embed[rows,](
            tokens, columns, network.tokens, network.positions, x[used], context, width, _block_k(width)
        )
        for layer in range(network.shape.layers):
            layer_of(layer, used)

    def _choose(self, rows: int) -> None:
        """Of all rows at once, so that the vocabulary is read once."""
        network, state = self._network, self._state
        head = Affine(network.head, network.head)  # it has no bias, and none is read
        if rows < _MANY_ROWS:
            n_blocks = self._product(self._x[:rows], head, self._best, norm=network.norm, pick=True)
        else:
            self._normalise(self._summed[:rows], network.norm, 2 * network.shape.layers, self._y)
            n_blocks = self._product(self._y[:rows], head, self._best, pick=True)
        kernels.pick[rows,](
            self._best,
            self._places,
            n_blocks,
            state.emitted,
            state.count,
            state.emitted.stride(0),
            state.tokens,
            state.columns,
            state.strides,
            _PICK_BLOCK,
        )

    def _layer(self, layer: int, used: slice) -> None:
        weights, x, y, wide = self._network.blocks[layer], self._x[used], self._y[used], self._wide[used]
        self._product(x, weights.qkv, self._qkv[used], norm=weights.norm_1)
        self._product(self._attend(layer, used), weights.merge, y, rest=x)
        activation = _ACTIVATIONS[self._network.shape.gelu]
        self._product(y, weights.widen, wide, norm=weights.norm_2, activation=activation)
        self._product(wide, weights.narrow, x, rest=y)

    def _layer_of_many(self, layer: int, used: slice) -> None:
        """``_summed`` lacks the biases of the products that were added to it; see ``_offsets``."""
        weights, x, y, wide = self._network.blocks[layer], self._summed[used], self._y[used], self._wide[used]
        self._normalise(x, weights.norm_1, 2 * layer, y)
        self._product(y, weights.qkv, self._qkv[used])
        self._add_product(self._attend(layer, used), weights.merge, x)
        self._normalise(x, weights.norm_2, 2 * layer + 1, y)
        self._product(y, weights.widen, wide, activation=_ACTIVATIONS[self._network.shape.gelu])
        self._add_product(wide, weights.narrow, x)

    def _attend(self, layer: int, used: slice) -> Tensor:
        """(rows, width), or for a single row the parts that the merging product joins."""
        shape, rows = self._network.shape, used.stop - used.start
        splits, attended = (_SPLITS, self._parts) if rows == 1 else (1, self._attended[used])
        states = self._cache.states[layer, used]
        kernels.attend[rows, shape.heads, splits](
            self._qkv[used],
            states,
            self._state.columns[used],
            self._state.strides[used],
            attended,
            self._peaks,
            self._masses,
            shape.head_width**-0.5,
            states.stride(0),
            shape.heads,
            shape.head_width,
            splits,
            _ATTEND_BLOCK,
            _SAME,
            num_warps=4,
            num_stages=_ATTEND_STAGES,
        )
        return attended

    def _normalise(self, x: Tensor, norm: Affine, place: int, out: Tensor) -> None:
        width, epsilon = self._network.shape.width, self._network.shape.epsilon
        block = triton.next_power_of_2(width)
        kernels.normalise[len(x),](x, self._offsets[place], norm.weight, norm.bias, out, epsilon, width, block)

    def _add_product(self, x: Tensor, by: Affine, out: Tensor) -> None:
        n, inner = by.weight.shape
        kernels.add_product[triton.cdiv(n, _MANY_BLOCK_N), inner // _MANY_BLOCK_K](
            x, by.weight, out, len(x), n, inner, _block_m(len(x)), _MANY_BLOCK_N, _MANY_BLOCK_K, num_warps=4
        )

    def _product(
        self,
        x: Tensor,
        by: Affine,
        out: Tensor,
        norm: Affine | None = None,
        activation: int = 0,
        rest: Tensor | None = None,
        pick: bool = False,
    ) -> int:
        """Returns the number of blocks."""
        n, inner = by.weight.shape
        rows = 1 if x is self._parts else len(x)
        block_n = _block_n(rows, n)
        grid = int(triton.cdiv(n, block_n))
        norms = (norm.weight, norm.bias) if norm else (by.bias, by.bias)
        flags = (norm is not None, not pick, activation, rest is not None, pick)
        rest = x if rest is None else rest
        epsilon = self._network.shape.epsilon
        if rows == 1:
            splits = _SPLITS if x is self._parts else 1
            block_k = triton.next_power_of_2(inner)
            kernels.product_of_one[grid,](
                x,
                by.weight,
                by.bias,
                *norms,
                rest,
                self._peaks,
                self._masses,
                out,
                self._places,
                n,
                epsilon,
                inner,
                self._network.shape.head_width,
                splits,
                *flags,
                block_n,
                block_k,
                num_warps=8 if block_k * block_n > 8192 else 4,
            )
        else:
            kernels.product[grid,](
                x,
                by.weight,
                by.bias,
                *norms,
                rest,
                out,
                self._places,
                rows,
                n,
                epsilon,
                inner,
                *flags,
                _block_m(rows),
                block_n,
                _MANY_BLOCK_K if rows >= _MANY_ROWS and not pick else _block_k(inner),
                num_warps=4,
                num_stages=3 if n > _MANY_OUTPUTS else 4,
            )
        return grid


def _offsets(network: Gpt2) -> Tensor:
    """(2 * layers + 1, width) float32: the biases that the residual stream lacks before each norm.

    Many blocks add to it where a product is added, and none of them is the first; a constant is added where it is read.
    """
    biases = [affine.bias.float() for block in network.blocks for affine in (block.merge, block.narrow)]
    return torch.stack([torch.zeros_like(biases[0]), *biases]).cumsum(0)


def _block_m(rows: int) -> int:
    return max(16, int(triton.next_power_of_2(rows)))


def _block_k(inner: int) -> int:
    return 256 if inner % 256 == 0 else 128


def _block_n(rows: int, n: int) -> int:
    """Few enough columns that all of the card's processors have some."""
    if n > _MANY_OUTPUTS:
        return 8 if rows == 1 else 64
    if rows == 1:
        return 4 if n <= 1024 else 8
    if rows >= _MANY_ROWS:
        return _MANY_BLOCK_N
    return 16 if n <= 2304 else 32
