"""Learning to write: the ordinary loss of a language model on packed rows of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from generator.train.adapters import FullWeights
from generator.train.optimization import mixed_precision
from generator.train.packed import Batch, Packed, batch_plan, make_batch
from generator.train.recipe import TextRecipe

ANSWERS = "answers"


class TextObjective:
    """See ``generator.train.loop.Objective``; a batch is a kind of row, a length, and row numbers."""

    def __init__(self, recipe: TextRecipe, packed: dict[str, Packed], pad: int) -> None:
        self._recipe = recipe
        self._packed = packed
        self._pad = pad

    def batches(self) -> Iterator[tuple[str, int, list[int]]]:
        return planned_batches(self._recipe, self._packed)

    def loss(self, weights: FullWeights, batch: tuple[str, int, list[int]]) -> dict[str, Tensor]:
        kind, length, rows = batch
        packed = self._packed[packed_name(kind)]
        return {kind: batch_loss(weights, make_batch(packed, rows, length, self._pad, kind == ANSWERS), self._recipe)}

    def validate(self, weights: FullWeights) -> dict[str, float]:
        return validate(weights, self._packed["validation"], self._recipe, self._pad)

    def fingerprints(self) -> dict[str, dict[str, object]]:
        return {name: {"rows": len(rows), "sha256": rows.fingerprint()} for name, rows in self._packed.items()}


def planned_batches(recipe: TextRecipe, packed: dict[str, Packed]) -> Iterator[tuple[str, int, list[int]]]:
    """Endless (kind, length, row numbers); the kind is drawn by the shares of the stage that the step is in."""
    rng = np.random.default_rng(recipe.seed)
    kinds = sorted({kind for stage in recipe.stages for kind in stage.shares})
    seeds = enumerate(kinds, start=recipe.seed + 1)
    plans = {k: batch_plan(packed[packed_name(k)], recipe.lengths, recipe.batch_tokens, seed) for seed, k in seeds}
    micro = 0
    while True:
        shares = recipe.stage(micro // recipe.accumulate).shares
        weights = np.array([shares.get(kind, 0.0) for kind in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        length, rows = next(plans[kind])
        yield kind, length, rows
        micro += 1


def batch_loss(weights: FullWeights, batch: Batch, recipe: TextRecipe) -> Tensor:
    """Weighted mean cross-entropy of the wanted targets; logits are computed for those places only."""
    model = weights.model
    device = model.device
    tokens = torch.from_numpy(batch.tokens).to(device)
    targets = torch.from_numpy(batch.targets).to(device)
    rows, length = tokens.shape
    positions = torch.arange(length, device=device).repeat(rows, 1)
    if model.training and float(torch.rand(())) < recipe.shifted_positions:
        room = int(model.config.n_positions) - length
        positions = positions + torch.randint(0, room + 1, (rows, 1)).to(device)
    wanted = targets != -100
    with mixed_precision(device, recipe):
        logits = model.lm_head(weights.hidden_states(tokens, positions)[wanted])  # (n_wanted, vocabulary)
    factors = 1.0 + (recipe.choice_weight - 1.0) * torch.from_numpy(batch.is_choice).to(device)[wanted]
    losses = functional.cross_entropy(logits.float(), targets[wanted], reduction="none")
    return (losses * factors).sum() / factors.sum()


@torch.no_grad()
def validate(weights: FullWeights, packed: Packed, recipe: TextRecipe, pad: int) -> dict[str, float]:
    """Loss on answers, and ``exact``: the share of answers whose every token is the likeliest one.

    ``exact`` is what greedy decoding would get fully right, found without decoding.
    """
    model = weights.model.eval()
    plan = batch_plan(packed, recipe.lengths, recipe.batch_tokens, seed=0)
    losses: list[float] = []
    exact = answers = 0
    for _ in range(recipe.validation_batches):
        length, rows = next(plan)
        batch = make_batch(packed, rows, length, pad, answers_only=True)
        targets = torch.from_numpy(batch.targets).to(model.device)
        wanted = targets != -100
        with mixed_precision(model.device, recipe):
            states = weights.hidden_states(torch.from_numpy(batch.tokens).to(model.device))
            logits = model.lm_head(states[wanted])
        losses.append(float(functional.cross_entropy(logits.float(), targets[wanted])))
        right = torch.ones_like(wanted)
        right[wanted] = logits.argmax(-1) == targets[wanted]
        exact += int(right.all(dim=1).sum())
        answers += len(rows)
    model.train()
    return {"loss": round(sum(losses) / len(losses), 4), "exact": round(exact / max(1, answers), 4)}


def packed_name(kind: str) -> str:
    return "grounded" if kind == ANSWERS else kind
