"""BERT without padding: the tokens of several texts side by side, so that no arithmetic is spent on filling them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from domain.processor import multiplies_16_bit_floats
from domain.protocols import Vectors

_EPSILON = 1e-12  # of the layer normalisations, as every BERT has it
_USUAL_TOKENS = 2048  # the packed weights are laid out for so many at once


def can_pack(config: Mapping[str, Any], pooling: Mapping[str, Any]) -> bool:
    """A plain BERT whose sentence vector is the mean of its tokens'; anything else is for sentence-transformers."""
    modes = {name for name, used in pooling.items() if name.startswith("pooling_mode_") and used is True}
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and (modes or {f"pooling_mode_{pooling.get('pooling_mode')}_tokens"}) == {"pooling_mode_mean_tokens"}
    )


def multiplies_bfloat16() -> bool:
    """True when the processor multiplies 16-bit floats itself and oneDNN is there to let it."""
    has_library = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]  # torch's is untyped
    return has_library and multiplies_16_bit_floats(torch.cpu.get_capabilities())


class PackedBert:
    """The encoder of Devlin et al. 2019, https://arxiv.org/abs/1810.04805, with mean pooling. Never trained here.

    Args:
        weights: of a BERT checkpoint, by their names in it.
        heads: attention heads of a layer.

    Raises:
        KeyError, RuntimeError: a weight is missing or has another shape.
    """

    def __init__(self, weights: Mapping[str, Tensor], heads: int, dtype: torch.dtype) -> None:
        named = {name.removeprefix("bert."): weight.to(dtype) for name, weight in weights.items()}
        self._heads = heads
        self._words = named["embeddings.word_embeddings.weight"]
        self._places = named["embeddings.position_embeddings.weight"]
        self._segment = named["embeddings.token_type_embeddings.weight"][0]
        self._norm = _pair(named, "embeddings.LayerNorm")
        self._layers: list[_Layer] = []
        while (prefix := f"encoder.layer.{len(self._layers)}.") + "output.dense.weight" in named:
            self._layers.append(_Layer(named, prefix))

    @property
    def longest(self) -> int:
        """Tokens of the longest text that it can read."""
        return len(self._places)

    def encode(self, texts: Sequence[Sequence[int]]) -> Vectors:
        """(texts, dimension) float32, L2-normalised. ``texts``: token ids of each, at least one; fastest in order of
        length."""
        lengths = [len(ids) for ids in texts]
        runs = [(length, len(list(run))) for length, run in groupby(lengths)]  # texts of one length attend together
        with torch.inference_mode():
            ids = torch.tensor([token for text in texts for token in text])
            places = torch.cat([torch.arange(length) for length in lengths])
            hidden = self._words[ids] + self._places[places] + self._segment  # (tokens, dimension)
            hidden = functional.layer_norm(hidden, hidden.shape[1:], *self._norm, _EPSILON)
            for layer in self._layers:
                hidden = layer.forward(hidden, runs, self._heads)
            owners = torch.repeat_interleave(torch.arange(len(texts)), torch.tensor(lengths))
            sums = torch.zeros(len(texts), hidden.shape[1]).index_add_(0, owners, hidden.float())
            return np.asarray(functional.normalize(sums, dim=1).numpy(), dtype=np.float32)


class _Layer:
    def __init__(self, named: Mapping[str, Tensor], prefix: str) -> None:
        parts = [_pair(named, f"{prefix}attention.self.{part}") for part in ("query", "key", "value")]
        self._attending = _Linear(torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts]))
        self._attended = _Linear(*_pair(named, f"{prefix}attention.output.dense"))
        self._attended_norm = _pair(named, f"{prefix}attention.output.LayerNorm")
        self._widening = _Linear(*_pair(named, f"{prefix}intermediate.dense"), activation="gelu")
        self._narrowing = _Linear(*_pair(named, f"{prefix}output.dense"))
        self._narrowed_norm = _pair(named, f"{prefix}output.LayerNorm")

    def forward(self, hidden: Tensor, runs: Sequence[tuple[int, int]], heads: int) -> Tensor:
        """(tokens, dimension) to the same. ``runs``: length and number of texts of that length, in order."""
        shape = hidden.shape[1:]
        mixed = torch.split(self._attending(hidden), [length * count for length, count in runs])
        seen = [
            _attend(part.view(count, length, 3, heads, -1)) for part, (length, count) in zip(mixed, runs, strict=True)
        ]
        summed = self._attended(torch.cat(seen)) + hidden
        hidden = functional.layer_norm(summed, shape, *self._attended_norm, _EPSILON)
        summed = self._narrowing(self._widening(hidden)) + hidden
        return functional.layer_norm(summed, shape, *self._narrowed_norm, _EPSILON)


class _Linear:
    """A linear step whose weights are laid out once for oneDNN instead of in every call, where 16-bit floats run in it:
    that halves the time of a query. The operators are those that torch's own compiler emits.
    """

    def __init__(self, weight: Tensor, bias: Tensor, activation: str = "none") -> None:
        self._weight, self._bias, self._activation = weight, bias, activation
        self._is_packed = weight.dtype == torch.bfloat16 and multiplies_bfloat16()
        if self._is_packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, _USUAL_TOKENS)

    def __call__(self, hidden: Tensor) -> Tensor:
        if self._is_packed:
            rest: tuple[Any, ...] = ([], "none" if self._activation == "gelu" else "")
            packed: Tensor = torch.ops.mkldnn._linear_pointwise(
                hidden, self._weight, self._bias, self._activation, *rest
            )
            return packed
        plain = functional.linear(hidden, self._weight, self._bias)
        return functional.gelu(plain) if self._activation == "gelu" else plain


def _attend(mixed: Tensor) -> Tensor:
    """(texts, length, 3, heads, width) to (texts * length, heads * width): each token looks at all of its text."""
    query, key, value = mixed.permute(2, 0, 3, 1, 4)
    seen = functional.scaled_dot_product_attention(query, key, value)
    return seen.transpose(1, 2).reshape(-1, seen.shape[1] * seen.shape[3])


def _pair(named: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return named[f"{name}.weight"], named[f"{name}.bias"]
