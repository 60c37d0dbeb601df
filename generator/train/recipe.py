"""What a training run is told: one TOML file, checked before anything starts.

``TrainRecipe`` is the loop's own language, and ``TextRecipe`` adds what writing text needs. ``CompanyRecipe`` is what
``answerdesk finetune`` reads, with the few knobs that matter on a company's own documents; it is turned into the first.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.errors import InvalidInput


class RecipeInvalid(InvalidInput):
    title = "Recipe invalid"


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


class FullMethod(_Frozen):
    """Every weight is trained."""

    kind: Literal["full"] = "full"


class LoraMethod(_Frozen):
    """Low-rank updates beside frozen matrices (Hu et al. 2021), merged into them at the end."""

    kind: Literal["lora"]
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class AdaLoraMethod(_Frozen):
    """LoRA whose rank budget moves to the matrices that need it (Zhang et al. 2023), merged at the end."""

    kind: Literal["adalora"]
    first_rank: int = Field(default=24, ge=2)
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _shrinks(self) -> AdaLoraMethod:
        if self.rank >= self.first_rank:
            raise ValueError("rank has to be smaller than first_rank: the budget shrinks from one to the other")
        return self


class PrefixMethod(_Frozen):
    """Trained keys and values in front of every layer (Li and Liang 2021). They cannot be merged into the weights."""

    kind: Literal["prefix"]
    tokens: int = Field(default=16, ge=1, le=128)


ADALORA_STEPS = 3  # one to learn with all ranks, one to take some away, one to learn with what is left

Method = Annotated[FullMethod | LoraMethod | AdaLoraMethod | PrefixMethod, Field(discriminator="kind")]
Precision = Literal["auto", "bf16", "fp32"]


class TrainRecipe(_Frozen):
    """One run of the loop, whatever is learnt.

    ``steps`` x ``accumulate`` x ``batch_tokens`` is the number of token places it sees, padding included. ``start`` is
    a local GPT-2 folder to go on from; ``data`` holds the packed rows; ``run`` receives checkpoints, curve and model.
    ``matrix_rate`` is the peak learning rate of the hidden matrices (Muon), ``vector_rate`` that of embeddings, norms,
    biases and adapters (AdamW).
    """

    data: Path
    run: Path
    start: Path | None = None
    method: Method = FullMethod()
    seed: int = 0
    steps: int = Field(ge=1)
    warmup: int = Field(default=100, ge=0)
    matrix_rate: float = 2e-3
    vector_rate: float = 2e-3
    final_rate: float = 0.1  # share of the peak rate that is left at the last step
    weight_decay: float = 0.05
    clip: float = 1.0
    batch_tokens: int = 4096
    accumulate: int = Field(default=2, ge=1)
    minutes: float | None = Field(default=None, gt=0)  # end the run by the clock, when this is sooner
    stop_at: int | None = None  # end the run here, before its schedule ends
    patience: int | None = None  # validations without a lower loss after which the run ends with its best weights
    dropout: float = 0.0
    checkpoint_every: int = 200
    validate_every: int = 200
    precision: Precision = "bf16"  # "auto": bf16 where it is faster, else fp32
    compile: bool = False
    threads: int = 2  # 0 takes every core

    @model_validator(mode="after")
    def _moves_ranks(self) -> Self:
        if self.method.kind == "adalora" and self.last_step < ADALORA_STEPS:
            raise ValueError(f"adalora needs {ADALORA_STEPS} steps at least")
        return self

    @property
    def last_step(self) -> int:
        return self.steps if self.stop_at is None else min(self.steps, self.stop_at)


class TextRecipe(TrainRecipe):
    """Learning to write text; ``data`` holds the tokenizer too. Without a ``start``: a fresh model of ``shape``."""

    shape: ModelShape = ModelShape()
    lengths: tuple[int, ...] = Field(default=(96, 128, 192, 256, 384, 512), min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1)
    choice_weight: float = 1.0  # of the first token of an answer in the loss, where any other token weighs 1
    copying_heads: bool = False  # see generator.train.copying
    shifted_positions: float = 0.0  # share of batches that start at random positions, so that all of them are learnt
    validation_batches: int = 12

    def stage(self, step: int) -> Stage:
        return next((stage for stage in self.stages if step < stage.until), self.stages[-1])


class RateSearch(_Frozen):
    """Tries ``trials`` learning rates between ``low`` and ``high`` for ``steps`` steps each, before the real run."""

    trials: int = Field(default=6, ge=2)
    steps: int = Field(default=40, ge=1)
    low: float = Field(default=5e-5, gt=0)
    high: float = Field(default=2e-3, gt=0)

    @model_validator(mode="after")
    def _is_a_range(self) -> RateSearch:
        if self.low >= self.high:
            raise ValueError("low has to be smaller than high")
        return self


class CompanyTraining(_Frozen):
    """How long and how fast; one step sees ``accumulate`` x ``batch_tokens`` token places."""

    steps: int = Field(default=300, ge=1)
    rate: float = Field(default=2e-4, gt=0, description="Peak learning rate; a [search] replaces it.")
    warmup: int = Field(default=20, ge=1)
    final_rate: float = Field(default=0.05, ge=0, le=1)
    weight_decay: float = Field(default=0.05, ge=0)
    batch_tokens: int = Field(default=4096, ge=64)
    accumulate: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    patience: int | None = Field(default=4, ge=1)
    validate_every: int = Field(default=25, ge=1)
    checkpoint_every: int = Field(default=25, ge=1)
    precision: Precision = "auto"
    threads: int = Field(default=0, ge=0)


class CompanyRecipe(_Frozen):
    """A fine-tuning on the company's own knowledge base; paths are relative to the recipe's folder.

    ``start`` is a GPT-2 folder or hub name, empty for the live model. ``questions`` and ``golden`` are files of golden
    questions that only ever measure. With ``hold_back = "entries"`` the FAQ entries and documents that ``questions``
    ask about are left out of the training, which measures what is learnt for others; with ``"wordings"`` only the
    questions are, which measures what is learnt for these. Without ``questions`` a share of the entries and documents
    is held back, and questions are made from it.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    start: str = ""
    collection: str | None = None
    questions: Path | None = None
    golden: Path | None = None
    hold_back: Literal["entries", "wordings"] = "entries"
    held_back_share: float = Field(default=0.2, gt=0, lt=0.6)
    promote: bool = True
    seed: int = 0
    examples: int = Field(default=3000, ge=1, description="Training examples drawn, each question varied anew.")
    refusal_share: float = Field(default=0.12, ge=0, le=0.5)
    method: Method = FullMethod()
    training: CompanyTraining = CompanyTraining()
    search: RateSearch | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> CompanyRecipe:
        if self.method.kind == "prefix" and self.promote:
            raise ValueError(
                "a trained prefix cannot be merged into the weights, so no engine can serve it; set promote = false to "
                'train and measure it all the same, or take kind = "lora"'
            )
        steps = min(self.training.steps, self.search.steps if self.search else self.training.steps)
        if self.method.kind == "adalora" and steps < ADALORA_STEPS:
            raise ValueError(f"adalora needs {ADALORA_STEPS} steps at least, in the training and in a search")
        if self.hold_back == "wordings" and self.questions is None:
            raise ValueError('hold_back = "wordings" needs questions, a file of what is held back')
        return self

    def in_folder(self, folder: Path) -> CompanyRecipe:
        """The same recipe with its paths taken from ``folder``."""
        files = {name: folder / path for name in ("questions", "golden") if (path := getattr(self, name)) is not None}
        start = {"start": str(folder / self.start)} if self.start and (folder / self.start).is_dir() else {}
        return self.model_copy(update=files | start)


_Recipe = TypeVar("_Recipe", bound=BaseModel)


def load_recipe(path: Path) -> TextRecipe:
    return read_recipe(path, TextRecipe)


def load_company_recipe(path: Path) -> CompanyRecipe:
    """
    Raises:
        RecipeInvalid: not TOML, an unknown key (with the nearest known one), or a value out of range.
    """
    return read_recipe(path, CompanyRecipe).in_folder(path.resolve().parent)


def read_recipe(path: Path, kind: type[_Recipe]) -> _Recipe:
    """
    Raises:
        RecipeInvalid: see ``load_company_recipe``.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeInvalid(f"{path.name} is not TOML: {error}.", "See examples/finetune-shop.toml.") from error
    except ValidationError as error:
        raise _explain(path, error, kind) from error


def _explain(path: Path, error: ValidationError, kind: type[BaseModel]) -> RecipeInvalid:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(first["loc"][-1]), _keys(kind), n=1)
        remedy = f"Did you mean {nearest[0]}?" if nearest else "docs/finetune.md lists the keys."
        return RecipeInvalid(f"{path.name}: unknown key {place}.", remedy)
    if first["type"] == "missing":
        return RecipeInvalid(f"{path.name} lacks {place}.", "docs/finetune.md lists the keys.")
    told = first["msg"].removeprefix("Value error, ")
    return RecipeInvalid(f"{path.name}: {place + ': ' if place else ''}{told}.", "docs/finetune.md lists the keys.")


def _keys(kind: type[BaseModel]) -> list[str]:
    """The keys of a recipe and of every table in it."""
    found: list[str] = []
    for name, field in kind.model_fields.items():
        found.append(name)
        inner: tuple[Any, ...] = (field.annotation, *get_args(field.annotation))
        tables = [one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)]
        found.extend(key for table in tables for key in _keys(table))
    return found
