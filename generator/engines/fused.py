"""GPT-2's decoding step in five kernels a layer, for CUDA.

A step of one stream is bound by the time to start a kernel, a step of many streams by reading keys and values. So a
layer is: norm and query-key-value product, attention, merging product, norm and widening product, narrowing product,
each with what goes before and after folded into it; from sixteen rows on cuBLAS multiplies, and the norms are kernels
of their own. Attention reads the columns that a row has and no more, so one captured graph serves every length. Triton
comes with torch's builds for CUDA.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor
from torch.nn import functional

from generator.engines import kernels
from generator.engines.static_cache import Gpt2, StaticCache
from generator.engines.weights import Affine, BlockWeights

_ACTIVATIONS = {"tanh": 1, "none": 2}
_SPLITS = 8  # of a single row's columns: its heads alone would leave most of the card idle
_SAME = 16  # rows of a query: see ``kernels.attend``
_ATTEND_BLOCK, _ATTEND_STAGES = 64, 4  # columns, and how many such blocks are on their way
_PICK_BLOCK = 1024  # blocks of the vocabulary that are compared at once
_MANY_ROWS = 16  # with cuBLAS 64 rows were 6 % faster on an H100; nothing between 17 and 63 was measured
_MANY_OUTPUTS = 8192  # a vocabulary has more
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
            self._run(0, rows)
        else:
            here, half = torch.cuda.current_stream(self._network.device), rows // 2
            self._beside.wait_stream(here)
            with torch.cuda.stream(self._beside):
                self._run(half, rows)
            self._run(0, half)
            here.wait_stream(self._beside)
        self._state.count.add_(1)

    def _run(self, first: int, end: int) -> None:
        used, rows = slice(first, end), end - first
        network, state, x = self._network, self._state, self._x[used]
        width, context = network.shape.width, network.shape.context
        tokens, columns = state.tokens[used], state.columns[used]
        kernels.embed[rows,](tokens, columns, network.tokens, network.positions, x, context, width, _block_k(width))
        for layer in range(network.shape.layers):
            if rows < _MANY_ROWS:
                self._layer(layer, used)
            else:
                self._layer_of_many(layer, used)
        n_blocks = self._logits(used)
        best, places, emitted = self._best[used], self._places[used], state.emitted[:, used]
        slots, strides = state.emitted.stride(0), state.strides[used]
        kernels.pick[rows,](best, places, n_blocks, emitted, state.count, slots, tokens, columns, strides, _PICK_BLOCK)

    def _layer(self, layer: int, used: slice) -> None:
        weights, x, y, wide = self._network.blocks[layer], self._x[used], self._y[used], self._wide[used]
        self._product(x, weights.qkv, self._qkv[used], norm=weights.norm_1)
        self._product(self._attend(layer, used), weights.merge, y, rest=x)
        activation = _ACTIVATIONS[self._network.shape.gelu]
        self._product(y, weights.widen, wide, norm=weights.norm_2, activation=activation)
        self._product(wide, weights.narrow, x, rest=y)

    def _layer_of_many(self, layer: int, used: slice) -> None:
        """The same with cuBLAS. ``x`` lacks the biases of the products that were added to it; see ``_offsets``."""
        weights, x, y = self._network.blocks[layer], self._x[used], self._y[used]
        self._normalise(x, weights.norm_1, 2 * layer, y)
        torch.addmm(weights.qkv.bias, y, weights.qkv.weight.t(), out=self._qkv[used])
        x.addmm_(self._attend(layer, used), weights.merge.weight.t())
        self._normalise(x, weights.norm_2, 2 * layer + 1, y)
        x.addmm_(self._widened(y, weights), weights.narrow.weight.t())

    def _logits(self, used: slice) -> int:
        """The greatest logit of each block of the vocabulary, for ``kernels.pick``; returns the number of blocks."""
        network, x, y = self._network, self._x[used], self._y[used]
        head = Affine(network.head, network.head)  # it has no bias, and none is read
        if len(x) < _MANY_ROWS:
            return self._product(x, head, self._best[used], norm=network.norm, pick=used)
        self._normalise(x, network.norm, 2 * network.shape.layers, y)
        return self._product(y, head, self._best[used], pick=used)

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

    def _widened(self, y: Tensor, weights: BlockWeights) -> Tensor:
        if self._network.shape.gelu == "tanh":  # cuBLAS does this one after its product
            widened: Tensor = torch._addmm_activation(weights.widen.bias, y, weights.widen.weight.t(), use_gelu=True)
            return widened
        return functional.gelu(functional.linear(y, weights.widen.weight, weights.widen.bias))

    def _product(
        self,
        x: Tensor,
        by: Affine,
        out: Tensor,
        norm: Affine | None = None,
        activation: int = 0,
        rest: Tensor | None = None,
        pick: slice | None = None,
    ) -> int:
        """Returns the number of blocks."""
        n, inner = by.weight.shape
        rows = 1 if x is self._parts else len(x)
        block_n = _block_n(rows, n)
        grid = int(triton.cdiv(n, block_n))
        norms = (norm.weight, norm.bias) if norm else (by.bias, by.bias)
        places = self._places if pick is None else self._places[pick]
        flags = (norm is not None, pick is None, activation, rest is not None, pick is not None)
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
                places,
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
                places,
                rows,
                n,
                epsilon,
                inner,
                *flags,
                max(16, triton.next_power_of_2(rows)),
                block_n,
                _block_k(inner),
                num_warps=4,
                num_stages=3 if n > _MANY_OUTPUTS else 4,
            )
        return grid


def _offsets(network: Gpt2) -> Tensor:
    """(2 * layers + 1, width) float32: the biases that the residual stream lacks before each norm.

    cuBLAS adds a product to the stream in place, but no bias at once; a constant may as well be added where it is read.
    """
    biases = [affine.bias.float() for block in network.blocks for affine in (block.merge, block.narrow)]
    return torch.stack([torch.zeros_like(biases[0]), *biases]).cumsum(0)


def _block_k(inner: int) -> int:
    return 256 if inner % 256 == 0 else 128


def _block_n(rows: int, n: int) -> int:
    """Few enough columns that all of the card's processors have some."""
    if n > _MANY_OUTPUTS:
        return 8 if rows == 1 else 64
    if rows == 1:
        return 4 if n <= 1024 else 8
    return 16 if n <= 2304 else 32
