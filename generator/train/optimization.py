"""Optimizers, the learning rate's course, and the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from generator.engines.precision import best_precision, multiplies_bfloat16
from generator.train.adapters import FullWeights
from generator.train.recipe import TrainRecipe


def make_optimizers(weights: FullWeights, recipe: TrainRecipe) -> list[torch.optim.Optimizer]:
    """Muon for the hidden matrices, AdamW for the rest; rates are comparable because Muon's are matched to AdamW's.

    An adapter's factors are not hidden matrices: they are all AdamW's. So is everything where the processor only
    emulates 16-bit floats, in which torch's Muon computes: there it would take ten times as long as the gradient.
    """
    named = list(weights.named_parameters())
    has_muon = recipe.method.kind == "full" and multiplies_bfloat16(weights.model.device)
    hidden = [p for name, p in named if has_muon and p.ndim == 2 and ".h." in name]
    others = [p for name, p in named if not (has_muon and p.ndim == 2 and ".h." in name)]
    adamw = torch.optim.AdamW(
        [{"params": others, "peak": recipe.vector_rate}], lr=recipe.vector_rate, betas=(0.9, 0.95), weight_decay=0.0
    )
    if not hidden:
        return [adamw]
    muon = torch.optim.Muon(
        [{"params": hidden, "peak": recipe.matrix_rate}],
        lr=recipe.matrix_rate,
        weight_decay=recipe.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [muon, adamw]


def set_rates(optimizers: Iterable[torch.optim.Optimizer], share: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share


def rate_at(step: int, way: float, recipe: TrainRecipe) -> float:
    """Linear warm-up, then a half cosine down to ``final_rate``; a share of the peak rate. ``way``: done of the run."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    warm = recipe.warmup / recipe.steps
    way = (way - warm) / max(1e-9, 1 - warm)
    return recipe.final_rate + (1 - recipe.final_rate) * 0.5 * (1 + math.cos(math.pi * way))


def mixed_precision(device: torch.device, recipe: TrainRecipe) -> torch.autocast:
    """bfloat16 where the recipe wants it; ``auto`` where the hardware is faster with it."""
    wanted = recipe.precision == "bf16" or (recipe.precision == "auto" and best_precision(device) is torch.bfloat16)
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)
