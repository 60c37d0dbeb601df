"""Starts a fresh GPT-2 with the circuit that copies text already in place.

Copying takes two heads in a row (Olsson et al. 2022, "In-context Learning and Induction Heads"): one in layer 0 writes
beside each token a code of the token before it, and one in layer 1 looks for the place whose code is the present token
and predicts what stands there. From random weights their discovery costs millions of tokens, which two CPU cores do not
have; written down by hand it costs nothing, and training is free to change every number of it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel

_INDUCTION_HEADS = 4
_TOKEN_SCALE = 0.06  # three times GPT-2's, so that the first steps do not wash the circuit away
_BACK_GAIN = 4.0  # sharpness of "the token before"
_MATCH_GAIN = 2.5  # sharpness of "the same token"
_CODE_SCALE = 0.15
_COPY_SCALE = 0.4


@torch.no_grad()
def install_copying_heads(model: GPT2LMHeadModel, seed: int) -> None:
    """Write the position vectors, one previous-token head (layer 0) and four induction heads (layer 1) into ``model``.

    The width is divided into three groups of coordinates: sines and cosines of the position (a fast half, by which the
    neighbour is found, and a slow half), the code of the previous token, and the token itself.
    """
    config = model.config
    width, size = int(config.n_embd), int(config.n_embd) // int(config.n_head)
    n_fast = size // 2
    rates = torch.cat([torch.linspace(1.0, 0.3, n_fast), torch.logspace(-0.6, -2.4, size - n_fast)])
    angles = torch.arange(config.n_positions)[:, None] * rates[None, :]
    coordinates = torch.arange(width)
    sines, cosines, code = coordinates[:size], coordinates[size : 2 * size], coordinates[2 * size : 3 * size]
    model.transformer.wpe.weight.zero_()
    model.transformer.wpe.weight[:, : 2 * size] = 1.5 * _TOKEN_SCALE * torch.cat([angles.sin(), angles.cos()], dim=1)
    model.transformer.wte.weight.mul_(_TOKEN_SCALE / float(config.initializer_range))
    model.transformer.wte.weight[:, : 3 * size] = 0.0
    rest = coordinates >= 3 * size
    generator = torch.Generator().manual_seed(seed)
    n_copied = min(_INDUCTION_HEADS, int(config.n_head), int(rest.sum()) // size)
    codes = _orthonormal(rest, size, generator)
    copies = _orthonormal(rest, size * n_copied, generator)

    first, second = (model.transformer.h[i].attn for i in (0, 1))
    query, key = torch.zeros(width, size), torch.zeros(width, size)
    for i in range(n_fast):  # turn this position's angles one step back
        query[sines[i], i], query[cosines[i], i] = rates[i].cos(), -rates[i].sin()
        query[cosines[i], n_fast + i], query[sines[i], n_fast + i] = rates[i].cos(), rates[i].sin()
        key[sines[i], i] = key[cosines[i], n_fast + i] = 1.0
    out = torch.zeros(size, width)
    out[torch.arange(size), code] = _CODE_SCALE
    _write_head(first, 0, (_BACK_GAIN * query, _BACK_GAIN * key, codes, out))
    key = torch.zeros(width, size)
    key[code, torch.arange(size)] = _MATCH_GAIN
    for head in range(n_copied):
        taken = copies[:, head * size : (head + 1) * size]
        _write_head(second, head, (_MATCH_GAIN * codes, key, taken, _COPY_SCALE * taken.T))


def _orthonormal(rest: Tensor, columns: int, generator: torch.Generator) -> Tensor:
    """(width, columns) orthonormal columns that read only the coordinates of ``rest``."""
    found = torch.zeros(len(rest), columns)
    found[rest] = torch.linalg.qr(torch.randn(int(rest.sum()), columns, generator=generator))[0]
    return found


def _write_head(attention: torch.nn.Module, head: int, parts: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    """``parts``: query, key, value (width, size) and output (size, width)."""
    query, key, value, out = parts
    width, size = query.shape
    at = slice(head * size, (head + 1) * size)
    joined = attention.c_attn.weight  # (width, 3 * width): queries, keys, values side by side
    for i, part in enumerate((query, key, value)):
        joined[:, i * width : (i + 1) * width][:, at] = part
    attention.c_proj.weight[at] = out
