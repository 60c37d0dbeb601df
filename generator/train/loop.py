"""The training loop, shared by pre-training and fine-tuning; it reads top to bottom.

What is drawn at a step depends on the recipe's seed and the step alone, so a run that was killed goes on from its
newest checkpoint exactly as if nothing had happened.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter
from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

from generator.train.checkpoint import load_newest_checkpoint, save_checkpoint
from generator.train.packed import Batch, Packed, batch_plan, load_packed, make_batch
from generator.train.recipe import TrainRecipe

ANSWERS = "answers"
logger = logging.getLogger(__name__)


class TrainingDivergedError(RuntimeError):
    """The loss is no longer a number; the newest checkpoint is from before that."""


def train(recipe: TrainRecipe, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    """Run (or resume) the recipe; returns the folder of the finished model, ``run/model``.

    Raises:
        TrainingDivergedError: a loss was NaN or infinite. Nothing is saved after the last good checkpoint.
    """
    torch.set_num_threads(recipe.threads)
    model.to("cuda" if torch.cuda.is_available() else "cpu").train()
    packed = {path.stem: load_packed(path) for path in sorted(recipe.data.glob("*.npz"))}
    _record_run(recipe, packed)
    optimizers = make_optimizers(model, recipe)
    done = _resume(recipe, model, optimizers)
    # The draws of the steps already done are replayed, but nothing is assembled.
    batches = itertools.islice(planned_batches(recipe, packed), done * recipe.accumulate, None)
    writer = SummaryWriter(str(recipe.run / "curve"), purge_step=done)
    hidden_states = torch.compile(model.transformer) if recipe.compile else model.transformer
    pad, started = int(tokenizer.eos_token_id), time.monotonic()
    for step in range(done, recipe.last_step):
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout and shifted positions
        set_rates(optimizers, rate_at(step, recipe))
        total = 0.0
        for kind, length, rows in itertools.islice(batches, recipe.accumulate):
            batch = make_batch(packed[packed_name(kind)], rows, length, pad, kind == ANSWERS)
            loss = batch_loss(model, hidden_states, batch, recipe)
            (loss / recipe.accumulate).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            total += float(loss.detach()) / recipe.accumulate
            writer.add_scalar(f"loss/{kind}", float(loss.detach()), step)
        if not math.isfinite(total):
            raise TrainingDivergedError(f"loss {total} at step {step} of {recipe.steps}; lower the rates and run again")
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip))
        _step(optimizers)
        if step % 20 == 0:
            pace = (step + 1 - done) * recipe.accumulate * recipe.batch_tokens / (time.monotonic() - started)
            logger.info("step %d loss %.3f norm %.2f tokens/s %.0f", step, total, norm, pace)
        if is_due(step, recipe.validate_every, recipe):
            _report(writer, step + 1, validate(model, packed["validation"], recipe, pad))
        if is_due(step, recipe.checkpoint_every, recipe):
            states = [optimizer.state_dict() for optimizer in optimizers]
            save_checkpoint(recipe.run / "checkpoints", step + 1, {"model": model.state_dict(), "optimizers": states})
    writer.close()
    return _save_model(recipe.run / "model", model, tokenizer)


def make_optimizers(model: GPT2LMHeadModel, recipe: TrainRecipe) -> list[torch.optim.Optimizer]:
    """Muon for the hidden matrices, AdamW for the rest; rates are comparable because Muon's are matched to AdamW's."""
    hidden = [p for name, p in model.named_parameters() if p.ndim == 2 and ".h." in name]
    others = [p for name, p in model.named_parameters() if not (p.ndim == 2 and ".h." in name)]
    muon = torch.optim.Muon(
        [{"params": hidden, "peak": recipe.matrix_rate}],
        lr=recipe.matrix_rate,
        weight_decay=recipe.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(
        [{"params": others, "peak": recipe.vector_rate}], lr=recipe.vector_rate, betas=(0.9, 0.95), weight_decay=0.0
    )
    return [muon, adamw]


def set_rates(optimizers: Iterable[torch.optim.Optimizer], share: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share


def is_due(step: int, every: int, recipe: TrainRecipe) -> bool:
    """True after every ``every``-th step and after the last."""
    return (step + 1) % every == 0 or step + 1 == recipe.last_step


def rate_at(step: int, recipe: TrainRecipe) -> float:
    """Linear warm-up, then a half cosine down to ``final_rate``; a share of the peak rate."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    way = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.final_rate + (1 - recipe.final_rate) * 0.5 * (1 + math.cos(math.pi * way))


def planned_batches(recipe: TrainRecipe, packed: dict[str, Packed]) -> Iterator[tuple[str, int, list[int]]]:
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


def batch_loss(model: GPT2LMHeadModel, hidden_states: Callable[..., Any], batch: Batch, recipe: TrainRecipe) -> Tensor:
    """Weighted mean cross-entropy of the wanted targets; logits are computed for those places only."""
    device = model.device
    tokens = torch.from_numpy(batch.tokens).to(device)
    targets = torch.from_numpy(batch.targets).to(device)
    rows, length = tokens.shape
    positions = torch.arange(length, device=device).repeat(rows, 1)
    if model.training and float(torch.rand(())) < recipe.shifted_positions:
        room = int(model.config.n_positions) - length
        positions = positions + torch.randint(0, room + 1, (rows, 1)).to(device)
    wanted = targets != -100
    with torch.autocast(device.type, torch.bfloat16):
        states = hidden_states(input_ids=tokens, position_ids=positions, use_cache=False).last_hidden_state
        logits = model.lm_head(states[wanted])  # (n_wanted, vocabulary)
    weights = 1.0 + (recipe.choice_weight - 1.0) * torch.from_numpy(batch.is_choice).to(device)[wanted]
    losses = functional.cross_entropy(logits.float(), targets[wanted], reduction="none")
    return (losses * weights).sum() / weights.sum()


@torch.no_grad()
def validate(model: GPT2LMHeadModel, packed: Packed, recipe: TrainRecipe, pad: int) -> dict[str, float]:
    """Loss on answers, and ``exact``: the share of answers whose every token is the likeliest one.

    ``exact`` is what greedy decoding would get fully right, found without decoding.
    """
    model.eval()
    device = model.device
    plan = batch_plan(packed, recipe.lengths, recipe.batch_tokens, seed=0)
    losses: list[float] = []
    exact = answers = 0
    for _ in range(recipe.validation_batches):
        length, rows = next(plan)
        batch = make_batch(packed, rows, length, pad, answers_only=True)
        targets = torch.from_numpy(batch.targets).to(device)
        wanted = targets != -100
        with torch.autocast(device.type, torch.bfloat16):
            states = model.transformer(input_ids=torch.from_numpy(batch.tokens).to(device), use_cache=False)[0]
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


def _record_run(recipe: TrainRecipe, packed: dict[str, Packed]) -> None:
    """The run folder says what made it: resolved recipe, hash of every data file, library versions.

    Raises:
        ValueError: the folder holds a run of another recipe or other data; resuming it would mix the two.
    """
    recipe.run.mkdir(parents=True, exist_ok=True)
    record = {
        "recipe": recipe.model_dump(mode="json"),
        "data": {name: {"rows": len(rows), "sha256": rows.fingerprint()} for name, rows in packed.items()},
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
    }
    path = recipe.run / "run.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if any(before[part] != record[part] for part in ("recipe", "data")):
            raise ValueError(f"{recipe.run} holds a run of another recipe or other data; remove it or name another run")
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _resume(recipe: TrainRecipe, model: GPT2LMHeadModel, optimizers: Sequence[torch.optim.Optimizer]) -> int:
    """Load the newest good checkpoint; returns how many steps are done (0 without one)."""
    found = load_newest_checkpoint(recipe.run / "checkpoints")
    if found is None:
        return 0
    done, state = found
    model.load_state_dict(state["model"])
    for optimizer, stored in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(stored)
    return done


def _step(optimizers: Iterable[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _save_model(folder: Path, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def _report(writer: SummaryWriter, step: int, figures: dict[str, float]) -> None:
    for name, value in figures.items():
        writer.add_scalar(f"validation/{name}", value, step)
    logger.info("step %d validation %s", step, json.dumps(figures))
