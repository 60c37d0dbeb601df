"""What a training run is told: one TOML file, checked before anything starts."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelShape(_Frozen):
    """A GPT-2 from scratch; with 8,192 tokens, 6 layers and width 256 it has 7.0 M parameters."""

    layers: int = 6
    width: int = 256
    heads: int = 8
    context: int = 512


class Stage(_Frozen):
    """Until ``until`` steps are done, each batch is of one kind, drawn with these shares.

    A kind is the name of a packed file; ``answers`` are the rows of ``grounded`` with the loss on their answers alone.
    """

    until: int
    shares: dict[str, float]


class TrainRecipe(_Frozen):
    """One run. ``steps`` x ``accumulate`` x ``batch_tokens`` is the number of token places it sees, padding included.

    ``start`` is a local GPT-2 folder to go on from (None: a fresh model of ``shape``); ``data`` holds the packed rows
    and the tokenizer; ``run`` receives checkpoints, curve and model. ``matrix_rate`` is the peak learning rate of the
    hidden matrices (Muon), ``vector_rate`` that of embeddings, norms and biases (AdamW).
    """

    data: Path
    run: Path
    start: Path | None = None
    shape: ModelShape = ModelShape()
    seed: int = 0
    steps: int
    warmup: int = 100
    matrix_rate: float = 2e-3
    vector_rate: float = 2e-3
    final_rate: float = 0.1  # share of the peak rate that is left at the last step
    weight_decay: float = 0.05
    clip: float = 1.0
    batch_tokens: int = 4096
    accumulate: int = 2
    lengths: tuple[int, ...] = (96, 128, 192, 256, 384, 512)
    stages: tuple[Stage, ...] = Field(min_length=1)
    choice_weight: float = 1.0  # of the first token of an answer in the loss, where any other token weighs 1
    stop_at: int | None = None  # end the run here, before its schedule ends
    copying_heads: bool = False  # see generator.train.copying
    shifted_positions: float = 0.0  # share of batches that start at random positions, so that all of them are learnt
    dropout: float = 0.0
    checkpoint_every: int = 200
    validate_every: int = 200
    validation_batches: int = 12
    compile: bool = False
    threads: int = 2

    @property
    def last_step(self) -> int:
        return self.steps if self.stop_at is None else min(self.steps, self.stop_at)

    def stage(self, step: int) -> Stage:
        return next((stage for stage in self.stages if step < stage.until), self.stages[-1])


def load_recipe(path: Path) -> TrainRecipe:
    return TrainRecipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
