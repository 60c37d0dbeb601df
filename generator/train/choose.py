"""Fine-tunes a GPT-2 to choose: ``python -m generator.train.choose RECIPE.toml`` (again to resume).

The loss is a softmax over the candidates' log-likelihoods at each step of the answer, which is how the model is used:
no token has to be likely by itself, the right sentence has to be likelier than the others. A share of the ordinary loss
keeps the right sentences writable.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter
from transformers import GPT2LMHeadModel

from generator.train.adapters import FullWeights
from generator.train.candidate_trees import ChoiceBatch, Scores, batch_scores, choice_batch, choice_tree
from generator.train.checkpoint import load_newest_checkpoint, save_checkpoint
from generator.train.choices import Choice, PackedChoices, Vocabulary
from generator.train.loop import RunMismatch
from generator.train.optimization import make_optimizers, set_rates
from generator.train.recipe import Stage, TrainRecipe, read_recipe
from generator.train.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)
_DRAWN_TOGETHER = 96  # examples a batch of 8,192 tokens: they are sorted by length, so that it wastes little padding
_VALIDATED_TOGETHER = 8
_GOING = 50  # steps over which the loss that is logged is a mean


class ChooseRecipe(TrainRecipe):
    """A ``TrainRecipe`` with the knobs of choosing; its stages and lengths are not used.

    With ``minutes`` the rate falls by the clock as well, so that the run ends at its lowest rate when the time is up,
    however busy the machine is. Such a run cannot be repeated exactly.
    """

    start: Path
    stages: tuple[Stage, ...] = ()
    warmup: int = 20
    matrix_rate: float = 5e-4
    vector_rate: float = 5e-4
    final_rate: float = 0.02
    batch_tokens: int = 8192
    writing_weight: float = 0.1  # of the ordinary loss in nats a token, beside the choices' loss in nats a choice
    later_weight: float = 0.5  # of the choices after the first: what to say next, and where to stop
    validation_examples: int = 300
    choices: dict[str, int] = Field(
        default={"grounded": 1}
    )  # how often an epoch has the rows of each ``data/choices`` file
    workers: int = 0  # processes that make batches beside the training; a GPU waits for them
    minutes: float | None = None


def choose(recipe: ChooseRecipe) -> Path:
    """Run (or resume) the recipe; returns the folder of the finished model, ``run/model``.

    Raises:
        FloatingPointError: a loss or gradient was no number; the newest checkpoint is from before that.
        RunMismatch: the run folder holds a run on other data or from another model.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    tokenizer = load_tokenizer(recipe.start)
    vocabulary = Vocabulary.of(tokenizer)
    rows = PackedChoices.joined(
        [
            PackedChoices.load(recipe.data / f"choices/{name}.npz")
            for name, n in recipe.choices.items()
            for _ in range(n)
        ]
    )
    held = PackedChoices.load(recipe.data / "choices/validation.npz")
    picked = np.random.default_rng(0).permutation(len(held))[: recipe.validation_examples]
    validation = [held[int(i)] for i in picked]
    _record_run(recipe, rows)
    run = _Run(recipe, load_for_choosing(recipe.start))
    skipped = run.done
    for batch in planned_batches(rows, vocabulary, recipe):
        if run.way >= 1 or run.done >= recipe.last_step:
            break
        if skipped > 0:  # the draws of the steps already done are replayed
            skipped -= 1
            continue
        run.step(batch)
        if run.done % recipe.validate_every == 0:
            run.report(validate(run.model, validation, vocabulary))
        if run.done % recipe.checkpoint_every == 0:
            run.save()
    run.report(validate(run.model, validation, vocabulary))
    run.save()
    folder = recipe.run / "model"
    run.model.config.activation_function = "gelu_new"  # the same function under the name that every GPT-2 has
    run.model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def _record_run(recipe: ChooseRecipe, rows: PackedChoices) -> None:
    """The run folder says what made it: the resolved recipe, the data's hash, the versions that computed it."""
    recipe.run.mkdir(parents=True, exist_ok=True)
    record = {
        "recipe": recipe.model_dump(mode="json"),
        "data": {"rows": len(rows), "sha256": rows.fingerprint()},
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
    }
    path = recipe.run / "run.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["data"] != record["data"] or before["recipe"]["start"] != str(recipe.start):
            raise RunMismatch(
                f"{recipe.run} holds a run on other data or from another model.", "Remove it, or name another run."
            )
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")


def load_for_choosing(folder: Path) -> GPT2LMHeadModel:
    """In float32, without dropout; the fused form of GPT-2's activation saves a fifth of the time on a CPU."""
    model: GPT2LMHeadModel = GPT2LMHeadModel.from_pretrained(
        str(folder),
        dtype=torch.float32,
        attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    return model.to("cuda" if torch.cuda.is_available() else "cpu").train()


class _Run:
    """What changes while a recipe runs, resumed from the newest good checkpoint when there is one."""

    def __init__(self, recipe: ChooseRecipe, model: GPT2LMHeadModel) -> None:
        self._recipe = recipe
        self.model = model
        self._optimizers = make_optimizers(FullWeights(model), recipe)
        self.done, self._examples, self._tokens, self._before = 0, 0, 0, 0.0
        self._losses: list[float] = []
        found = load_newest_checkpoint(recipe.run / "checkpoints")
        if found is not None:
            self.done, state = found
            self._examples, self._tokens, self._before = state["examples"], state["tokens"], state["seconds"]
            model.load_state_dict(state["model"])
            for optimizer, stored in zip(self._optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(stored)
        self._writer = SummaryWriter(str(recipe.run / "curve"), purge_step=self.done)
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._started

    @property
    def way(self) -> float:
        """How much of the run is done, 0..1: by steps, or by the clock where that is further."""
        by_clock = self.seconds / 60 / self._recipe.minutes if self._recipe.minutes else 0.0
        return max(self.done / self._recipe.steps, by_clock)

    def step(self, batch: ChoiceBatch) -> None:
        recipe = self._recipe
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.way)))
        warmth = min(1.0, (self.done + 1) / recipe.warmup)
        set_rates(self._optimizers, warmth * (recipe.final_rate + (1 - recipe.final_rate) * cosine))
        batch = batch.to(self.model.device)
        choosing, writing = losses(batch_scores(self.model, batch), batch, recipe)
        (choosing + recipe.writing_weight * writing).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip))
        if not math.isfinite(norm):
            raise FloatingPointError(f"gradient norm {norm} at step {self.done}; lower the rates and run again")
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.done += 1
        self._examples += len(batch)
        self._tokens += batch.n_tokens
        self._losses = [*self._losses[1 - _GOING :], float(choosing.detach())]
        self._writer.add_scalar("loss/choosing", self._losses[-1], self.done)
        self._writer.add_scalar("loss/writing", float(writing.detach()), self.done)
        if self.done % 20 == 0:
            told = (
                self.done,
                float(np.mean(self._losses)),
                float(writing.detach()),
                norm,
                self._examples,
                self.seconds,
            )
            logger.info("step %d choosing %.3f writing %.3f norm %.2f examples %d seconds %.0f", *told)

    def report(self, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"validation/{name}", value, self.done)
        told = {**figures, "examples": self._examples, "tokens": self._tokens, "seconds": round(self.seconds)}
        logger.info("step %d validation %s", self.done, json.dumps(told))

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "examples": self._examples,
            "tokens": self._tokens,
            "seconds": self.seconds,
        }
        save_checkpoint(self._recipe.run / "checkpoints", self.done, state)


def planned_batches(rows: PackedChoices, vocabulary: Vocabulary, recipe: ChooseRecipe) -> Iterator[ChoiceBatch]:
    """Endless; every example once before any comes again. Batches hold ``batch_tokens`` places, padding included."""
    groups = _Groups(rows, vocabulary, recipe)
    for batches in DataLoader(groups, batch_size=None, num_workers=recipe.workers):
        yield from batches


class _Groups(Dataset[list[ChoiceBatch]]):
    """The examples in the order they are seen, in groups of which each makes a few batches. What a group holds depends
    on its number and the recipe's seed alone, so any process may make it."""

    def __init__(self, rows: PackedChoices, vocabulary: Vocabulary, recipe: ChooseRecipe) -> None:
        self._rows = rows
        self._vocabulary = vocabulary
        self._batch_tokens = recipe.batch_tokens
        self._seed = recipe.seed
        self._size = _DRAWN_TOGETHER * max(1, recipe.batch_tokens // 8192)
        self._in_epoch = -(-len(rows) // self._size)

    def __len__(self) -> int:
        return 1_000_000 * self._in_epoch

    def __getitem__(self, number: int) -> list[ChoiceBatch]:
        epoch, at = divmod(number, self._in_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._rows))
        rng = np.random.default_rng((self._seed, epoch, at))
        drawn = order[at * self._size : (at + 1) * self._size].tolist()
        trees = [choice_tree(self._rows[i], self._vocabulary, rng) for i in drawn]
        batches: list[list[Any]] = [[]]
        for made in sorted(trees, key=lambda pair: len(pair[0])):
            if batches[-1] and len(made[0]) * (len(batches[-1]) + 1) > self._batch_tokens:
                batches.append([])
            batches[-1].append(made)
        return [choice_batch(batches[i]) for i in rng.permutation(len(batches)).tolist()]


def losses(scores: Scores, batch: ChoiceBatch, recipe: ChooseRecipe) -> tuple[Tensor, Tensor]:
    """Weighted nats a choice, and nats a token of what is rightly said."""
    weights = torch.where(batch.is_first, 1.0, recipe.later_weight)
    each = functional.cross_entropy(scores.of, batch.right, reduction="none")
    return (each * weights).sum() / weights.sum(), -scores.said.mean()


@torch.no_grad()
def validate(model: GPT2LMHeadModel, choices: Sequence[Choice], vocabulary: Vocabulary) -> dict[str, float]:
    """``first``: share of answerable questions whose first sentence is right, ``[0]`` left out; ``stop`` and ``go_on``:
    share of later choices that are right, where the end is and where it is not; ``decline``: area under the curve of
    ``[0]``'s margin over the best sentence; ``loss``: nats a choice."""
    model.eval()
    found: dict[str, list[float]] = {name: [] for name in ("loss", "first", "stop", "go_on")}
    margins: dict[bool, list[float]] = {True: [], False: []}
    trees = sorted((choice_tree(choice, vocabulary) for choice in choices), key=lambda pair: len(pair[0]))
    for at in range(0, len(trees), _VALIDATED_TOGETHER):
        batch = choice_batch(trees[at : at + _VALIDATED_TOGETHER]).to(model.device)
        scores = batch_scores(model, batch).of.cpu()
        found["loss"] += functional.cross_entropy(scores, batch.right.cpu(), reduction="none").tolist()
        facts = zip(batch.right.tolist(), batch.is_first.tolist(), batch.sizes.tolist(), strict=True)
        for row, (right, is_first, size) in zip(scores, facts, strict=True):
            ends = right == size - 1
            if is_first:
                margins[ends].append(float(row[size - 1] - row[: size - 1].max()))
                if not ends:
                    found["first"].append(float(int(row[: size - 1].argmax()) == right))
            else:
                found["stop" if ends else "go_on"].append(float(int(row[:size].argmax()) == right))
    model.train()
    told = {name: round(float(np.mean(values)), 4) for name, values in found.items() if values}
    wins = [float(a > b) for a in margins[True] for b in margins[False]]
    return told | ({"decline": round(float(np.mean(wins)), 4)} if wins else {})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    choose(read_recipe(Path(sys.argv[1]), ChooseRecipe))
