"""The training loop, shared by pre-training and every kind of fine-tuning; it reads top to bottom.

What is drawn at a step depends on the recipe's seed and the step alone, so a run that was killed goes on from its
newest checkpoint exactly as if nothing had happened. With ``minutes`` the rate falls by the clock as well, so that the
run ends at its lowest rate when the time is up, however busy the machine is; such a run cannot be repeated exactly.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

from domain.errors import InvalidInput, StorageFull
from domain.protocols import ProgressListener
from generator.train.adapters import FullWeights, trainable
from generator.train.checkpoint import load_newest_checkpoint, room_on_disk, save_checkpoint
from generator.train.optimization import make_optimizers, rate_at, set_rates
from generator.train.packed import load_packed
from generator.train.recipe import TextRecipe, TrainRecipe
from generator.train.text_objective import TextObjective

logger = logging.getLogger(__name__)


class TrainingDiverged(InvalidInput):
    """The loss is no longer a number; every checkpoint is from before that."""

    title = "Training diverged"


class RunMismatch(InvalidInput):
    """Resuming would mix two runs."""

    title = "Run folder in use"


def train(
    recipe: TextRecipe,
    model: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerBase,
    progress: ProgressListener | None = None,
) -> Path:
    """Run (or resume) the recipe; returns the folder of the finished model, ``run/model``.

    Raises:
        TrainingDiverged: a loss was NaN or infinite. Nothing is saved after the last good checkpoint.
        RunMismatch: the run folder holds another run.
        StorageFull: the last checkpoint is intact.
    """
    packed = {path.stem: load_packed(path) for path in sorted(recipe.data.glob("*.npz"))}
    objective = TextObjective(recipe, packed, int(tokenizer.eos_token_id))
    with room_on_disk(recipe.run):
        weights = fit(recipe, model, objective, progress)
        return save_model(recipe.run / "model", weights.merged(), tokenizer)


def fit(
    recipe: TrainRecipe, model: GPT2LMHeadModel, objective: Objective, progress: ProgressListener | None = None
) -> FullWeights:
    """What ``train`` does, up to the trained weights in memory; with ``patience`` they are the best ones."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    model.to("cuda" if torch.cuda.is_available() else "cpu").train()
    _record_run(recipe, objective)
    run = _Run(recipe, trainable(recipe, model), objective)
    first, started, validated_at = run.done, time.monotonic(), run.done
    # The draws of the steps already done are replayed.
    batches = itertools.islice(objective.batches(), run.done * recipe.accumulate, None)
    while run.way < 1 and run.done < recipe.last_step and not run.has_waited_enough:
        loss, norm = run.step(list(itertools.islice(batches, recipe.accumulate)))
        if run.done % 20 == 1:
            pace = (run.done - first) / (time.monotonic() - started)
            logger.info("step %d loss %.3f norm %.2f steps/s %.2f", run.done, loss, norm, pace)
        if run.done % recipe.validate_every == 0:
            run.validate()
            validated_at = run.done
        if progress:
            progress(run.done, recipe.last_step)
    if run.done > validated_at:
        run.validate()
    return run.finish()


class Objective(Protocol):
    """What is learnt. A batch may be whatever the objective likes."""

    def batches(self) -> Iterator[Any]:
        """Endless; a function of the data and the recipe's seed alone."""
        ...

    def loss(self, weights: FullWeights, batch: Any) -> dict[str, Tensor]:
        """The parts of the batch's loss by name, already weighted: their sum is to fall."""
        ...

    def validate(self, weights: FullWeights) -> dict[str, float]:
        """Figures on unseen data; ``loss`` is among them."""
        ...

    def fingerprints(self) -> dict[str, dict[str, object]]:
        """Rows and hash of every file of data."""
        ...


class _Run:
    """What changes while a recipe runs, resumed from the newest good checkpoint when there is one.

    ``best`` is the lowest validation loss so far, ``waited`` how many validations have passed since.
    """

    def __init__(self, recipe: TrainRecipe, weights: FullWeights, objective: Objective) -> None:
        self._recipe = recipe
        self._weights = weights
        self._objective = objective
        self._optimizers = make_optimizers(weights, recipe)
        self.done, self._best, self._waited, self._spent = 0, math.inf, 0, 0.0
        self._resume()
        self._started = time.monotonic()
        self._resumed_at = self.done
        self._writer = SummaryWriter(str(recipe.run / "curve"), purge_step=self.done)

    @property
    def seconds(self) -> float:
        """Spent on the run, the time before it was stopped included."""
        return self._spent + time.monotonic() - self._started

    @property
    def way(self) -> float:
        """How much of the run is done, 0..1: by steps, or by the clock where that is further."""
        by_clock = self.seconds / 60 / self._recipe.minutes if self._recipe.minutes else 0.0
        return min(1.0, max(self.done / self._recipe.steps, by_clock))

    @property
    def has_waited_enough(self) -> bool:
        return self._recipe.patience is not None and self._waited >= self._recipe.patience

    def step(self, batches: list[Any]) -> tuple[float, float]:
        """One update of the weights; returns the mean loss before it and the gradient's norm."""
        recipe, step, total = self._recipe, self.done, 0.0
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout and shifted positions
        for batch in batches:
            parts = self._objective.loss(self._weights, batch)
            loss = torch.stack(list(parts.values())).sum()
            ((loss + self._weights.penalty()) / len(batches)).backward()  # type: ignore[no-untyped-call]  # torch's is untyped
            total += float(loss.detach()) / len(batches)
            for name, part in parts.items():
                self._writer.add_scalar(f"loss/{name}", float(part.detach()), step)
        norm = float(torch.nn.utils.clip_grad_norm_([p for _, p in self._weights.named_parameters()], recipe.clip))
        if not math.isfinite(total) or not math.isfinite(norm):
            raise _diverged(f"loss {total}, gradient norm {norm}", step, recipe)
        # Saved only now: weights that give a finite loss are good ones, those after the update may not be.
        if step % recipe.checkpoint_every == 0 and step > self._resumed_at:
            self._save()
        set_rates(self._optimizers, rate_at(step, self.way, recipe))
        for optimizer in self._optimizers:
            optimizer.step()
        self._weights.after_step(step)
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return total, norm

    def validate(self) -> None:
        """Note the figures; with ``patience``, keep the weights that are the best so far."""
        figures = self._objective.validate(self._weights)
        for name, value in figures.items():
            self._writer.add_scalar(f"validation/{name}", value, self.done)
        logger.info("step %d validation %s", self.done, json.dumps(figures))
        if figures["loss"] < self._best:
            self._best, self._waited = figures["loss"], 0
            if self._recipe.patience is not None:
                save_checkpoint(self._recipe.run / "best", self.done, self._weights.state(), keep=1)
        else:
            self._waited += 1

    def finish(self) -> FullWeights:
        self._writer.close()
        if self._recipe.patience is not None:
            found = load_newest_checkpoint(self._recipe.run / "best")
            if found is None:
                raise _diverged("no validation gave a number", self.done, self._recipe)
            self._weights.load_state(found[1])
        return self._weights

    def _save(self) -> None:
        state = {
            "weights": self._weights.state(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "best": self._best,
            "waited": self._waited,
            "seconds": self.seconds,
        }
        save_checkpoint(self._recipe.run / "checkpoints", self.done, state)

    def _resume(self) -> None:
        found = load_newest_checkpoint(self._recipe.run / "checkpoints")
        if found is None:
            return
        self.done, state = found
        self._best, self._waited, self._spent = state["best"], state["waited"], state["seconds"]
        self._weights.load_state(state["weights"])
        for optimizer, stored in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)


def _diverged(told: str, step: int, recipe: TrainRecipe) -> TrainingDiverged:
    return TrainingDiverged(
        f"The training of {recipe.run.name} diverged at step {step} of {recipe.steps}: {told}.",
        "Lower the rates and run again; the model that it started from is as it was.",
    )


def _record_run(recipe: TrainRecipe, objective: Objective) -> None:
    """The run folder says what made it: resolved recipe, hash of every data file, library versions.

    Raises:
        RunMismatch: the folder holds a run of another recipe or other data.
    """
    recipe.run.mkdir(parents=True, exist_ok=True)
    record = {
        "recipe": recipe.model_dump(mode="json"),
        "data": objective.fingerprints(),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
    }
    path = recipe.run / "run.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if any(before[part] != record[part] for part in ("recipe", "data")):
            raise RunMismatch(
                f"{recipe.run} holds a run of another recipe or of other data.", "Remove it, or name another run."
            )
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1), encoding="utf-8")
    partial.replace(path)


def save_model(folder: Path, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    """Whole or absent, like a checkpoint."""
    partial = folder.with_name(f"partial-{folder.name}")
    for stale in (partial, folder):
        shutil.rmtree(stale, ignore_errors=True)
    model.config.activation_function = "gelu_new"  # the name that every GPT-2 has for it
    try:
        with room_on_disk(partial):
            model.save_pretrained(str(partial))
            tokenizer.save_pretrained(str(partial))
    except StorageFull:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return partial.rename(folder)
