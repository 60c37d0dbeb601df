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
def normalise(x, offset, gain, shift, out, epsilon, K: tl.constexpr, BLOCK_K: tl.constexpr):
    """Layer norm of each row of ``x`` (rows, K) plus ``offset`` (K,) float32."""
    row, k = tl.program_id(0), tl.arange(0, BLOCK_K)
    is_k = k < K
    values = tl.load(x + row * K + k, mask=is_k, other=0.0).to(tl.float32) + tl.load(offset + k, mask=is_k, other=0.0)
    mean = tl.sum(values, 0) / K
    centred = tl.where(is_k, values - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / K + epsilon)
    values = centred * scale * tl.load(gain + k, mask=is_k, other=0.0).to(tl.float32)
    values += tl.load(shift + k, mask=is_k, other=0.0).to(tl.float32)
    tl.store(out + row * K + k, values.to(out.dtype.element_ty), mask=is_k)


@triton.jit
def product_of_one(
    x,  # (K,); with SPLITS the parts of an attention, (SPLITS, K) float32
    weight,  # (N, K)
    bias,  # (N,)
    gain,  # (K,), with NORM
    shift,
    rest,  # (N,), added with REST
    peaks,  # (SPLITS, heads), see ``attend``
    masses,
    out,  # (N,), or with PICK the greatest number of each block, (blocks,)
    places,  # (blocks,): where it stands
    N,
    epsilon,
    K: tl.constexpr,
    D: tl.constexpr,
    SPLITS: tl.constexpr,
    NORM: tl.constexpr,
    BIAS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    REST: tl.constexpr,
    PICK: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """``product`` for a single row: all of K at once, since waiting for one load after another is what takes long."""
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    k = tl.arange(0, BLOCK_K)
    is_n, is_k = n < N, k < K
    of = tl.load(weight + n[:, None].to(tl.int64) * K + k[None, :], mask=is_n[:, None] & is_k[None, :], other=0.0)
    if SPLITS == 1:
        row = tl.load(x + k, mask=is_k, other=0.0).to(tl.float32)
    else:
        head = k // D
        top = tl.full([BLOCK_K], -1e30, tl.float32)
        for split in tl.static_range(SPLITS):
            top = tl.maximum(top, tl.load(peaks + split * (K // D) + head, mask=is_k, other=-1e30))
        row = tl.zeros([BLOCK_K], tl.float32)
        mass = tl.zeros([BLOCK_K], tl.float32)
        for split in tl.static_range(SPLITS):
            share = tl.exp(tl.load(peaks + split * (K // D) + head, mask=is_k, other=-1e30) - top)
            mass += share * tl.load(masses + split * (K // D) + head, mask=is_k, other=1.0)
            row += share * tl.load(x + split * K + k, mask=is_k, other=0.0)
        row = (row / mass).to(weight.dtype.element_ty).to(tl.float32)
    if NORM:
        mean = tl.sum(row, 0) / K
        centred = tl.where(is_k, row - mean, 0.0)
        scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / K + epsilon)
        row = centred * scale * tl.load(gain + k, mask=is_k, other=0.0).to(tl.float32)
        row += tl.load(shift + k, mask=is_k, other=0.0).to(tl.float32)
        row = row.to(weight.dtype.element_ty).to(tl.float32)
    summed = tl.sum(of.to(tl.float32) * row[None, :], 1)
    if BIAS:
        summed += tl.load(bias + n, mask=is_n, other=0.0).to(tl.float32)
    summed = activated(summed, ACTIVATION)
    if PICK:
        summed = tl.where(summed == summed, summed, float("inf"))  # see ``product``
        summed = tl.where(is_n, summed, float("-inf"))
        tl.store(out + tl.program_id(0), tl.max(summed, 0))
        tl.store(places + tl.program_id(0), tl.program_id(0) * BLOCK_N + tl.argmax(summed, 0))
    else:
        if REST:
            summed += tl.load(rest + n, mask=is_n, other=0.0).to(tl.float32)
        tl.store(out + n, summed.to(out.dtype.element_ty), mask=is_n)


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
        for start in tl.range(0, K, BLOCK_K, num_stages=3):
            part = tl.load(at_x + start, mask=is_m[:, None], other=0.0).to(tl.float32)
            total += tl.sum(part, 1)
            squares += tl.sum(part * part, 1)
        mean = total / K
        scale = 1.0 / tl.sqrt(squares / K - mean * mean + epsilon)
    summed = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for start in range(0, K, BLOCK_K):
        part = tl.load(at_x + start, mask=is_m[:, None], other=0.0)
        if NORM:
            own_gain, own_shift = tl.load(gain + start + k).to(tl.float32), tl.load(shift + start + k).to(tl.float32)
            part = (part.to(tl.float32) - mean[:, None]) * scale[:, None] * own_gain[None, :] + own_shift[None, :]
            part = part.to(x.dtype.element_ty)
        of = tl.load(at_w + start, mask=is_n[:, None], other=0.0)
        summed = tl.dot(part, tl.trans(of), summed)
    if BIAS:
        summed += tl.load(bias + n, mask=is_n, other=0.0).to(tl.float32)[None, :]
    summed = activated(summed, ACTIVATION)
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
def add_product(
    x,  # (rows, K)
    weight,  # (N, K)
    out,  # (rows, N) float32
    rows,
    N,
    K: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Adds x @ weight.T to ``out``: ``BLOCK_N`` columns and ``BLOCK_K`` of K, for all rows, so that much of the card
    helps. Blocks add in any order, so the last bits of a sum in float32 vary from run to run."""
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    m, k = tl.arange(0, BLOCK_M), tl.program_id(1) * BLOCK_K + tl.arange(0, BLOCK_K)
    is_n, is_m = n < N, m < rows
    part = tl.load(x + m[:, None] * K + k[None, :], mask=is_m[:, None], other=0.0)
    of = tl.load(weight + n[:, None].to(tl.int64) * K + k[None, :], mask=is_n[:, None], other=0.0)
    summed = tl.dot(part, tl.trans(of))
    tl.atomic_add(out + m[:, None] * N + n[None, :], summed, mask=is_m[:, None] & is_n[None, :], sem="relaxed")


@triton.jit
def activated(x, ACTIVATION: tl.constexpr):
    """0 none, 1 GELU by tanh, 2 GELU."""
    if ACTIVATION == 1:
        x = x * tl.sigmoid(2.0 * 0.7978845608028654 * (x + 0.044715 * x * x * x))
    if ACTIVATION == 2:
        x = 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))
    return x


@triton.jit
def attend(
    qkv,  # (rows, 3, heads, D)
    states,  # (rows, columns, 2, heads, D): the layer's cache from the first row's slot on
    columns,  # (rows,) where each row's token goes
    strides,  # (rows,) 0 where the row is not in use
    out,  # (rows, heads, D), or with SPLITS (rows, SPLITS, heads, D) float32, sums that are yet to be divided
    peaks,  # with SPLITS (rows, SPLITS, heads): the greatest score of each part,
    masses,  # and the sum of what is left of the others beside it
    scale,
    slot_stride,
    HEADS: tl.constexpr,
    D: tl.constexpr,
    SPLITS: tl.constexpr,
    BLOCK: tl.constexpr,
    SAME: tl.constexpr,
):
    """Writes a token's key and value into its column and attends to the columns up to it: one row, one head, and one
    part of the columns. The query fills ``SAME`` equal rows, the fewest that the card's matrix units multiply."""
    row, head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    WIDTH: tl.constexpr = HEADS * D
    d, lane = tl.arange(0, D), tl.arange(0, BLOCK)
    own = qkv + row * 3 * WIDTH + head * D + d
    query, key, value = tl.load(own), tl.load(own + WIDTH), tl.load(own + 2 * WIDTH)
    column = tl.load(columns + row)
    cached = states + row.to(tl.int64) * slot_stride + head * D + d
    before = tl.where(tl.load(strides + row) > 0, column, 0).to(tl.int32)
    chunk = tl.cdiv(before, SPLITS)
    low = split * chunk
    high = tl.minimum(low + chunk, before)

    queries = tl.zeros([SAME, D], query.dtype) + query[None, :]
    if split == 0:
        tl.store(cached + column * 2 * WIDTH, key)
        tl.store(cached + column * 2 * WIDTH + WIDTH, value)
        score = tl.sum(query.to(tl.float32) * key.to(tl.float32), 0) * scale
        greatest = tl.zeros([SAME], tl.float32) + score
        mass = tl.full([SAME], 1.0, tl.float32)
        summed = tl.zeros([SAME, D], tl.float32) + value.to(tl.float32)[None, :]
    else:
        greatest = tl.full([SAME], -1e30, tl.float32)
        mass = tl.zeros([SAME], tl.float32)
        summed = tl.zeros([SAME, D], tl.float32)
    for start in range(low, high, BLOCK):
        c = start + lane
        is_seen = c < high
        at = cached[None, :] + c[:, None] * 2 * WIDTH
        keys = tl.load(at, mask=is_seen[:, None], other=0.0)
        values = tl.load(at + WIDTH, mask=is_seen[:, None], other=0.0)
        scores = tl.where(is_seen[None, :], tl.dot(queries, tl.trans(keys)) * scale, -1e30)
        now = tl.maximum(greatest, tl.max(scores, 1))
        kept = tl.exp(greatest - now)
        weights = tl.where(is_seen[None, :], tl.exp(scores - now[:, None]), 0.0)
        mass = mass * kept + tl.sum(weights, 1)
        summed = tl.dot(weights.to(values.dtype), values, summed * kept[:, None])
        greatest = now
    if SPLITS == 1:
        whole = tl.sum(summed / mass[:, None], 0) / SAME
        tl.store(out + row * WIDTH + head * D + d, whole.to(out.dtype.element_ty))
    else:
        part = row * SPLITS + split
        tl.store(out + part * WIDTH + head * D + d, tl.sum(summed, 0) / SAME)
        tl.store(peaks + part * HEADS + head, tl.max(greatest, 0))
        tl.store(masses + part * HEADS + head, tl.max(mass, 0))


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
