"""The kernels of a decoding step, in Triton (Tillet et al. 2019, https://doi.org/10.1145/3315508.3329973).

All arrays are contiguous. Numbers between kernels are rounded as torch's own operations round them.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def embed(tokens, columns, words, places, out, context, K: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    token, place = tl.load(tokens + row), tl.minimum(tl.load(columns + row), context - 1)
    for start in tl.static_range(0, K, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(words + token * K + at).to(tl.float32) + tl.load(places + place * K + at).to(tl.float32)
        tl.store(out + row * K + at, x.to(out.dtype.element_ty))


@triton.jit
def product(
    x,  # (rows, K)
    weight,  # (N, K)
    bias,  # (N,)
    gain,  # (K,), with NORM
    shift,
    rest,  # (rows, N), added with REST
    out,  # (rows, N), or with PICK the greatest number of each block, (rows, blocks)
    places,  # (rows, blocks): where it stands
    rows,
    N,
    epsilon,
    K: tl.constexpr,
    NORM: tl.constexpr,
    BIAS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    REST: tl.constexpr,
    PICK: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """``BLOCK_N`` columns of act(norm(x) @ weight.T + bias) + rest, for all rows."""
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    m, k = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_K)
    is_n, is_m = n < N, m < rows
    at_x = x + m[:, None] * K + k[None, :]
    at_w = weight + n[:, None].to(tl.int64) * K + k[None, :]
    if NORM:
        total = tl.zeros([BLOCK_M], tl.float32)
        squares = tl.zeros([BLOCK_M], tl.float32)
        for start in range(0, K, BLOCK_K):
            part = tl.load(at_x + start, mask=is_m[:, None], other=0.0).to(tl.float32)
            total += tl.sum(part, 1)
            squares += tl.sum(part * part, 1)
        mean = total / K
        scale = 1.0 / tl.sqrt(squares / K - mean * mean + epsilon)
    if BLOCK_M == 1:
        wide = tl.zeros([BLOCK_N, BLOCK_K], tl.float32)
    else:
        summed = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for start in range(0, K, BLOCK_K):
        part = tl.load(at_x + start, mask=is_m[:, None], other=0.0)
        if NORM:
            own_gain, own_shift = tl.load(gain + start + k).to(tl.float32), tl.load(shift + start + k).to(tl.float32)
            part = (part.to(tl.float32) - mean[:, None]) * scale[:, None] * own_gain[None, :] + own_shift[None, :]
            part = part.to(x.dtype.element_ty)
        of = tl.load(at_w + start, mask=is_n[:, None], other=0.0)
        if BLOCK_M == 1:
            wide += of.to(tl.float32) * part.to(tl.float32)
        else:
            summed = tl.dot(part, tl.trans(of), summed)
    if BLOCK_M == 1:
        summed = tl.sum(wide, 1)[None, :]
    if BIAS:
        summed += tl.load(bias + n, mask=is_n, other=0.0).to(tl.float32)[None, :]
    if ACTIVATION == 1:
        inner = 0.7978845608028654 * (summed + 0.044715 * summed * summed * summed)
        summed = summed * tl.sigmoid(2.0 * inner)
    if ACTIVATION == 2:
        summed = 0.5 * summed * (1.0 + tl.erf(summed * 0.7071067811865476))
    if PICK:
        # A number that is none must not be passed over: it wins, and is found to be none.
        summed = tl.where(summed == summed, summed, float("inf"))
        summed = tl.where(is_n[None, :], summed, float("-inf"))
        at = m * tl.num_programs(0) + tl.program_id(0)
        tl.store(out + at, tl.max(summed, 1), mask=is_m)
        tl.store(places + at, tl.program_id(0) * BLOCK_N + tl.argmax(summed, 1), mask=is_m)
    else:
        here = m[:, None] * N + n[None, :]
        is_here = is_m[:, None] & is_n[None, :]
        if REST:
            summed += tl.load(rest + here, mask=is_here, other=0.0).to(tl.float32)
        tl.store(out + here, summed.to(out.dtype.element_ty), mask=is_here)


@triton.jit
def attend(
    qkv,  # (rows, 3, heads, D)
    states,  # (rows, columns, 2, heads, D): the layer's cache from the first row's slot on
    columns,  # (rows,) where each row's token goes
    strides,  # (rows,) 0 where the row is not in use
    out,  # (rows, heads, D)
    scale,
    slot_stride,
    HEADS: tl.constexpr,
    D: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Writes a token's key and value into its column and attends to the columns up to it; one row, one head."""
    row, head = tl.program_id(0), tl.program_id(1)
    WIDTH: tl.constexpr = HEADS * D
    d = tl.arange(0, D)
    own = qkv + row * 3 * WIDTH + head * D + d
    query = tl.load(own).to(tl.float32) * scale
    key, value = tl.load(own + WIDTH), tl.load(own + 2 * WIDTH)
    column = tl.load(columns + row)
    cached = states + row.to(tl.int64) * slot_stride + head * D + d
    tl.store(cached + column * 2 * WIDTH, key)
    tl.store(cached + column * 2 * WIDTH + WIDTH, value)
    before = tl.where(tl.load(strides + row) > 0, column, 0).to(tl.int32)

    # Every lane keeps a softmax of its own over the columns it meets; they are joined at the end.
    lane = tl.arange(0, BLOCK)
    greatest = tl.full([BLOCK], -1e30, tl.float32)
    mass = tl.zeros([BLOCK], tl.float32)
    summed = tl.zeros([BLOCK, D], tl.float32)
    for start in range(0, before, BLOCK):
        c = start + lane
        is_seen = c < before
        at = cached[None, :] + c[:, None] * 2 * WIDTH
        keys = tl.load(at, mask=is_seen[:, None], other=0.0).to(tl.float32)
        values = tl.load(at + WIDTH, mask=is_seen[:, None], other=0.0).to(tl.float32)
        score = tl.where(is_seen, tl.sum(keys * query[None, :], 1), -1e30)
        now = tl.maximum(greatest, score)
        kept, new = tl.exp(greatest - now), tl.where(is_seen, tl.exp(score - now), 0.0)
        mass = mass * kept + new
        summed = summed * kept[:, None] + new[:, None] * values
        greatest = now
    score = tl.sum(query * key.to(tl.float32), 0)
    top = tl.maximum(tl.max(greatest, 0), score)
    share, own_share = tl.exp(greatest - top), tl.exp(score - top)
    whole = tl.sum(summed * share[:, None], 0) + own_share * value.to(tl.float32)
    whole = whole / (tl.sum(mass * share, 0) + own_share)
    tl.store(out + row * WIDTH + head * D + d, whole.to(out.dtype.element_ty))


@triton.jit
def pick(best, places, n_blocks, emitted, count, slots, tokens, columns, strides, BLOCK: tl.constexpr):
    """The token of a row's greatest logit, the first of equals, -1 if that is no finite number; the row moves on."""
    row = tl.program_id(0)
    lane = tl.arange(0, BLOCK)
    top = tl.full([BLOCK], float("-inf"), tl.float32)
    where = tl.full([BLOCK], 2147483647, tl.int32)
    for start in range(0, n_blocks, BLOCK):
        at = start + lane
        value = tl.load(best + row * n_blocks + at, mask=at < n_blocks, other=float("-inf"))
        place = tl.load(places + row * n_blocks + at, mask=at < n_blocks, other=2147483647)
        where = tl.where(value > top, place, where)
        top = tl.maximum(top, value)
    greatest = tl.max(top, 0)
    token = tl.min(tl.where(top == greatest, where, 2147483647), 0)
    is_number = (greatest < float("inf")) & (greatest > float("-inf"))
    tl.store(emitted + tl.load(count) * slots + row, tl.where(is_number, token, -1).to(tl.int64))
    tl.store(tokens + row, tl.where(is_number, token, 0).to(tl.int64))
    tl.store(columns + row, tl.load(columns + row) + tl.load(strides + row))
