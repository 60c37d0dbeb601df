"""Advancing sequences in their cache slots: fill a prompt, step a batch, verify drafts. Knows slots, not requests.

Per slot there is a *pending* token: the last one known, whose keys and values are not computed yet. A step reads the
pending tokens and writes the next ones in their place, on the device, so that steps follow each other without the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generator.engines.graphs import EagerSteps, GraphedSteps, StepRunner
from generator.engines.scoring import score_continuations
from generator.engines.static_cache import Gpt2, Step

if TYPE_CHECKING:
    from generator.engines.fused import FusedStep

NOT_FINITE = -1  # in place of a token whose logits were not numbers
SCRATCH_COLUMNS = 512  # behind the context, for continuations being scored and for steps past a sequence's end
_LENGTH_BUCKET = 128  # columns; a captured step looks at a multiple of it
_MAX_STEPS = 32


@dataclass(frozen=True, slots=True)
class Pending:
    """A sequence about to go on: its last token, that token's position, and tokens that may follow it."""

    token: int
    position: int
    draft: Sequence[int] = field(default=())


class Decoder:
    """A network, its cache and the small tensors that steps feed on. Not for several threads.

    Every method wants to run under ``torch.inference_mode()``.

    Args:
        runner: None takes the best one for the network's device.
        fuse: take the fused step where there is one.
    """

    def __init__(self, network: Gpt2, slots: int, runner: StepRunner | None = None, *, fuse: bool = True) -> None:
        self.network = network
        self.slots = slots
        self.context = network.shape.context
        self._cache = network.cache(slots, self.context + SCRATCH_COLUMNS)
        device = network.device
        self._tokens = torch.zeros(slots, dtype=torch.long, device=device)
        self._columns = torch.zeros(slots, dtype=torch.long, device=device)
        self._strides = torch.zeros(slots, dtype=torch.long, device=device)  # 1 in use, 0 not
        self._emitted = torch.zeros(_MAX_STEPS, slots, dtype=torch.long, device=device)
        self._count = torch.zeros(1, dtype=torch.long, device=device)
        self._run = runner or self._best_runner()
        self._fused = self._fused_step() if fuse and self.is_captured else None

    @property
    def is_captured(self) -> bool:
        """Whether steps are replayed as graphs: then they begin at slot 0, and low slots are the cheap ones."""
        return self._run.is_captured

    def fill(self, slot: int, tokens: Sequence[int], start: int) -> None:
        """Compute keys and values of ``tokens`` at positions ``start`` and following."""
        if not tokens:
            return
        device, end = self.network.device, start + len(tokens)
        places = torch.arange(start, end, device=device).unsqueeze(0)
        visible = torch.ones(len(tokens), end, dtype=torch.bool, device=device).tril(start)[None, None]
        step = Step(torch.tensor([tokens], device=device), places, places, visible, slot)
        self.network.fill(step, self._cache)

    def clear(self, slot: int) -> None:
        """Wipe a slot: a masked column weighs 0, but 0 times a number that is none is none."""
        self._cache.states[:, slot].zero_()

    def score(self, slot: int, prompt: Sequence[int], continuations: Sequence[Sequence[int]]) -> list[float]:
        """See ``score_continuations``; the slot was filled with all of the prompt but its last token."""
        return score_continuations(self.network, self._cache, slot, prompt, continuations)

    def advance(self, pending: Mapping[int, Pending], steps: int) -> dict[int, list[int]]:
        """The greedy next ``steps`` tokens of each slot, with one look at the device at the end."""
        steps = min(steps, _MAX_STEPS)
        first, last = self._span(pending)
        used = slice(first, last + 1)
        absent = Pending(0, self._cache.bin)
        rows = [pending.get(slot, absent) for slot in range(first, last + 1)]
        self._tokens[used] = self._host(row.token for row in rows)
        self._columns[used] = self._host(row.position for row in rows)
        self._strides[used] = self._host(int(slot in pending) for slot in range(first, last + 1))
        self._count.zero_()
        furthest = max(row.position for row in pending.values())
        for _ in range(steps):
            furthest += 1
            if self._fused is not None:
                self._run(("fused", last), partial(self._fused, last + 1))
            else:
                seen = self._seen(furthest)
                self._run(("step", first, last, seen), partial(self._step, used, seen))
        emitted = self._emitted[:steps, used].t().tolist()
        return {slot: emitted[slot - first] for slot in pending}

    def verify(self, pending: Mapping[int, Pending]) -> dict[int, list[int]]:
        """The greedy continuation of each slot as far as its draft foretold it, and one token more."""
        first, last = self._span(pending)
        length = 1 + max(len(row.draft) for row in pending.values())
        bin_ = self._cache.bin
        tokens, columns = [], []
        for slot in range(first, last + 1):
            row = pending.get(slot)
            known = [row.token, *row.draft] if row else []
            start = row.position if row else 0
            tokens.append(known + [0] * (length - len(known)))
            columns.append([*range(start, start + len(known))] + [bin_] * (length - len(known)))
        seen = max(row.position + 1 + len(row.draft) for row in pending.values())
        device = self.network.device
        at = torch.tensor(columns, device=device)
        visible = (torch.arange(seen, device=device) <= at.unsqueeze(-1)).unsqueeze(1)
        step = Step(torch.tensor(tokens, device=device), at.clamp(max=self.context - 1), at, visible, first)
        chosen = self._choose(self.network.hidden(step, self._cache)).tolist()
        return {slot: _accepted(row.draft, chosen[slot - first]) for slot, row in pending.items()}

    def _step(self, used: slice, seen: int) -> None:
        columns = self._columns[used]
        step = Step(
            tokens=self._tokens[used].unsqueeze(1),
            positions=columns.clamp(max=self.context - 1).unsqueeze(1),
            columns=columns.unsqueeze(1),
            visible=(torch.arange(seen, device=columns.device) <= columns.unsqueeze(1))[:, None, None],
            first_slot=used.start,
        )
        chosen = self._choose(self.network.hidden(step, self._cache)[:, -1])
        self._emitted[:, used].index_copy_(0, self._count, chosen.unsqueeze(0))
        self._count.add_(1)
        self._tokens[used] = chosen.clamp(min=0)
        columns.add_(self._strides[used])

    def _choose(self, hidden: Tensor) -> Tensor:
        best, token = self.network.logits(hidden).max(dim=-1)
        return token.masked_fill(~torch.isfinite(best), NOT_FINITE)

    def _span(self, pending: Mapping[int, Pending]) -> tuple[int, int]:
        """First and last slot of the batch; a captured batch is a power of two, so that there are few graphs."""
        if not self.is_captured:
            return min(pending), max(pending)
        rows = 1 << max(pending).bit_length()
        return 0, min(rows, self.slots) - 1

    def _seen(self, columns: int) -> int:
        """A captured step looks at more columns than it needs, so that one graph serves many steps."""
        if not self.is_captured:
            return columns
        return min(-(-columns // _LENGTH_BUCKET) * _LENGTH_BUCKET, self._cache.columns)

    def _host(self, values: Iterable[int]) -> Tensor:
        return torch.tensor(list(values), dtype=torch.long).to(self.network.device)

    def _best_runner(self) -> StepRunner:
        if self.network.device.type != "cuda":
            return EagerSteps()
        return GraphedSteps(self.network.device, (self._tokens, self._columns, self._emitted, self._count))

    def _fused_step(self) -> FusedStep | None:
        if not can_fuse(self.network):
            return None
        from generator.engines.fused import FusedStep, StepState

        state = StepState(self._tokens, self._columns, self._strides, self._emitted, self._count)
        return FusedStep(self.network, self._cache, state, self.slots)


def can_fuse(network: Gpt2) -> bool:
    """True where the kernels of ``generator.engines.fused`` can be built and are made for the network's sizes."""
    widths = [network.shape.width, network.blocks[0].widen.weight.shape[0]]
    is_made_for = network.shape.head_width in (32, 64, 128) and not any(width % 128 for width in widths)
    has_triton = find_spec("triton") is not None
    return network.device.type == "cuda" and network.dtype == torch.bfloat16 and has_triton and is_made_for


def _accepted(draft: Sequence[int], chosen: Sequence[int]) -> list[int]:
    """What greedy decoding would have said: the draft while it agrees, then the first token of our own."""
    agreed = 0
    while agreed < len(draft) and draft[agreed] == chosen[agreed]:
        agreed += 1
    return list(chosen[: agreed + 1])
