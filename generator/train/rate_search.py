"""Choosing the learning rate by trying some: short runs, the lowest validation loss wins."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from transformers import GPT2LMHeadModel

from domain.protocols import ProgressListener
from generator.train.loop import Objective, TrainingDiverged, fit
from generator.train.recipe import RateSearch, TrainRecipe

logger = logging.getLogger(__name__)

_RANDOM_TRIALS = 3  # before the sampler models what it has seen
_LEDGER = "search.json"


def search_rate(
    recipe: TrainRecipe,
    search: RateSearch,
    load: Callable[[], GPT2LMHeadModel],
    objective: Objective,
    progress: ProgressListener | None = None,
) -> float:
    """The best rate for ``recipe``. Finished trials are kept in the run folder, so a killed search goes on.

    Each trial's draw depends on its number and the results before it alone.

    Raises:
        TrainingDiverged: every trial did.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = recipe.run / "search"
    distribution = FloatDistribution(search.low, search.high, log=True)
    done = _read(folder, distribution)
    for number in range(len(done), search.trials):
        if progress:
            progress(number, search.trials)
        sampler = optuna.samplers.TPESampler(seed=recipe.seed + number, n_startup_trials=_RANDOM_TRIALS)
        study = optuna.create_study(sampler=sampler)
        study.add_trials(done)
        rate = study.ask({"rate": distribution}).params["rate"]
        loss = _try(recipe, search, rate, load, objective, folder / f"trial-{number}")
        logger.info("tried a learning rate", extra={"rate": rate, "loss": loss})
        done.append(_trial(rate, loss, distribution))
        _write(folder, done)
    finished = [trial for trial in done if trial.state is TrialState.COMPLETE]
    if not finished:
        raise TrainingDiverged(
            f"All {search.trials} learning rates from {search.low} to {search.high} diverged.",
            "Lower both ends of the search.",
        )
    return float(min(finished, key=lambda trial: trial.value or 0.0).params["rate"])


def _try(
    recipe: TrainRecipe,
    search: RateSearch,
    rate: float,
    load: Callable[[], GPT2LMHeadModel],
    objective: Objective,
    run: Path,
) -> float | None:
    """The validation loss after the trial's steps; None when it diverged."""
    shutil.rmtree(run, ignore_errors=True)  # what a killed trial left; trials are too short to resume
    changes = {
        "run": run,
        "steps": search.steps,
        "matrix_rate": rate,
        "vector_rate": rate,
        "warmup": min(recipe.warmup, max(1, search.steps // 4)),
        "patience": None,
        "checkpoint_every": search.steps,
        "validate_every": search.steps + 1,
    }
    try:
        loss = objective.validate(fit(recipe.model_copy(update=changes), load(), objective))["loss"]
    except TrainingDiverged:
        return None
    return loss if math.isfinite(loss) else None


def _trial(rate: float, loss: float | None, distribution: FloatDistribution) -> FrozenTrial:
    state = TrialState.FAIL if loss is None else TrialState.COMPLETE
    return create_trial(state=state, value=loss, params={"rate": rate}, distributions={"rate": distribution})


def _read(folder: Path, distribution: FloatDistribution) -> list[FrozenTrial]:
    path = folder / _LEDGER
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [_trial(row["rate"], row["loss"], distribution) for row in rows]


def _write(folder: Path, done: list[FrozenTrial]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"rate": trial.params["rate"], "loss": trial.value} for trial in done]
    partial = folder / f"{_LEDGER}.partial"
    partial.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    partial.replace(folder / _LEDGER)
