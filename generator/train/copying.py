"""Starts a fresh GPT-2 with the circuit that copies text already in place.

Copying takes two heads in a row (Olsson et al. 2022, "In-context Learning and Induction Heads"): in layer 0 a head
writes beside each token a code of the token before it, and in layer 1 another looks for the place whose code is the
present token and predicts what stands there. Here two tokens are matched, the present and the one before, so that a
frequent word does not lead astray. From random weights such heads cost millions of tokens, which two CPU cores do not
have; written down by hand they cost nothing, and training is free to change every number.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention

_TOKEN_SCALE = 0.06  # three times GPT-2's, so that the first steps do not wash the circuit away
_BACK_GAIN = 4.0  # sharpness of "one token back"
_MATCH_GAIN = 1.9  # sharpness of "the same token"
_EARLIER_SHARE = 0.5  # weight of the earlier of the two matched tokens
_CODE_SCALE = 0.07
_COPY_SCALE = 0.4


@torch.no_grad()
def install_copying_heads(model: GPT2LMHeadModel, seed: int) -> None:
    """Write position vectors, two looking-back heads (layer 0) and the copying heads (layer 1) into ``model``.

    The width is divided into groups of coordinates: sines and cosines of the position (a fast half, by which neighbours
    are found, and a slow half), codes of the previous token and of the one before it, and the token itself.
    """
    config = model.config
    width, size = int(config.n_embd), int(config.n_embd) // int(config.n_head)
    n = size // 2
    sines, cosines, code, earlier, rest = torch.tensor_split(torch.arange(width), (n, 2 * n, 3 * n, 4 * n))
    rates = torch.cat([torch.linspace(1.0, 0.3, n // 2), torch.logspace(-0.6, -2.4, n - n // 2)])
    angles = torch.arange(config.n_positions)[:, None] * rates[None, :]
    model.transformer.wpe.weight.zero_()
    model.transformer.wpe.weight[:, : 2 * n] = 1.5 * _TOKEN_SCALE * torch.cat([angles.sin(), angles.cos()], dim=1)
    model.transformer.wte.weight.mul_(_TOKEN_SCALE / float(config.initializer_range))
    model.transformer.wte.weight[:, : 4 * n] = 0.0
    generator = torch.Generator().manual_seed(seed)
    codes = _orthonormal(width, rest, n, generator)
    n_copying = min(int(config.n_head), len(rest) // size)
    copies = _orthonormal(width, rest, size * n_copying, generator)
    first, second = (model.transformer.h[i].attn for i in (0, 1))
    fast = rates[: n // 2]
    for head, (steps, place) in enumerate(((1, code), (2, earlier))):
        query, key, value = (torch.zeros(width, size) for _ in range(3))
        for i, rate in enumerate(fast.tolist()):  # turn this position's angles some steps back
            turn = torch.tensor(rate * steps)
            query[sines[i], i], query[cosines[i], i] = turn.cos(), -turn.sin()
            query[cosines[i], n + i], query[sines[i], n + i] = turn.cos(), turn.sin()
            key[sines[i], i] = key[cosines[i], n + i] = 1.0
        value[:, :n] = codes
        out = torch.zeros(size, width)
        out[torch.arange(n), place] = _CODE_SCALE
        _write_head(first, head, (_BACK_GAIN * query, _BACK_GAIN * key, value, out))
    query, key = torch.zeros(width, size), torch.zeros(width, size)
    query[:, :n], query[code, n + torch.arange(n)] = codes, _EARLIER_SHARE
    key[code, torch.arange(n)] = key[earlier, n + torch.arange(n)] = 1.0
    for head in range(n_copying):
        taken = copies[:, head * size : (head + 1) * size]
        _write_head(second, head, (_MATCH_GAIN * query, _MATCH_GAIN * key, taken, _COPY_SCALE * taken.T))


def _orthonormal(width: int, rows: Tensor, columns: int, generator: torch.Generator) -> Tensor:
    """(width, columns) orthonormal columns that read only the coordinates ``rows``."""
    found = torch.zeros(width, columns)
    found[rows] = torch.linalg.qr(torch.randn(len(rows), columns, generator=generator))[0]
    return found


def _write_head(attention: GPT2Attention, head: int, parts: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    """``parts``: query, key, value (width, size) and output (size, width)."""
    query, key, value, out = parts
    width, size = query.shape
    at = slice(head * size, (head + 1) * size)
    joined = attention.c_attn.weight  # (width, 3 * width): queries, keys, values side by side
    for i, part in enumerate((query, key, value)):
        joined[:, i * width : (i + 1) * width][:, at] = part
    attention.c_proj.weight[at] = out
