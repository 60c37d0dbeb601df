"""Fine-tunes a GPT-2 to choose: ``python -m generator.train.choose RECIPE.toml`` (again to resume).

The loss is a softmax over the candidates' log-likelihoods at each step of the answer: no token has to be likely by
itself, the right sentence has to be likelier than the others. Where the product's evidence is known, the first choice
is also trained as the product makes it, with the evidence's log-odds added: what the evidence tells already, the GPT-2
need not learn, and what it is wrong about counts most. A share of the ordinary loss keeps the right sentences writable.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from domain.protocols import ProgressListener
from generator.composition import WEIGHTS
from generator.engines.model_folder import inspect_model_folder
from generator.metrics import roc_auc
from generator.train.adapters import FullWeights
from generator.train.candidate_trees import ChoiceBatch, Scores, batch_scores, choice_batch, choice_tree
from generator.train.checkpoint import room_on_disk
from generator.train.choices import Choice, PackedChoices, Vocabulary
from generator.train.finetune import load_model
from generator.train.loop import fit, save_model
from generator.train.optimization import mixed_precision
from generator.train.recipe import TrainRecipe, read_recipe
from generator.train.tokenizer import load_tokenizer

_DRAWN_TOGETHER = 96  # examples a batch of 8,192 tokens: they are sorted by length, so that it wastes little padding
_VALIDATED_TOGETHER = 8


class ChooseRecipe(TrainRecipe):
    """A ``TrainRecipe`` with the knobs of choosing."""

    start: Path
    warmup: int = Field(default=20, ge=0)
    accumulate: int = Field(default=1, ge=1)
    matrix_rate: float = 5e-4
    vector_rate: float = 5e-4
    final_rate: float = 0.02
    batch_tokens: int = 8192
    beside_weight: float = 3.0  # of the choice beside the evidence, next to the choices' loss by themselves
    model_weight: float = 0.1  # of the model in that choice; more than it has when it serves, or it would learn little
    writing_weight: float = 0.1  # of the ordinary loss in nats a token, next to that in nats a choice
    later_weight: float = 0.5  # of the choices after the first: what to say next, and where to stop
    validation_examples: int = 300
    # How often an epoch has the rows of each ``data/choices`` file, and the files that measure.
    choices: dict[str, int] = Field(default={"grounded": 1})
    validation: tuple[str, ...] = ("validation",)
    workers: int = 0  # processes that make batches beside the training; a GPU waits for them


def choose(recipe: ChooseRecipe, progress: ProgressListener | None = None) -> Path:
    """Run (or resume) the recipe; returns the folder of the finished model, ``run/model``.

    Raises:
        ModelMissing, ModelUnsuitable: the start is no GPT-2 folder, or pickled.
        TrainingDiverged: a loss was NaN or infinite. Nothing is saved after the last good checkpoint.
        RunMismatch: the run folder holds another run.
        StorageFull: the last checkpoint is intact.
    """
    inspect_model_folder(recipe.start)
    tokenizer = load_tokenizer(recipe.start)
    files = [recipe.data / f"choices/{name}.npz" for name, n in recipe.choices.items() for _ in range(n)]
    held = [PackedChoices.load(recipe.data / f"choices/{name}.npz") for name in recipe.validation]
    rows = PackedChoices.joined([PackedChoices.load(file) for file in files])
    objective = ChoiceObjective(recipe, rows, PackedChoices.joined(held), Vocabulary.of(tokenizer))
    with room_on_disk(recipe.run):
        weights = fit(recipe, load_model(recipe.start, recipe.dropout), objective, progress)
        return save_model(recipe.run / "model", weights.merged(), tokenizer)


class ChoiceObjective:
    """See ``generator.train.loop.Objective``."""

    def __init__(
        self, recipe: ChooseRecipe, rows: PackedChoices, validation: PackedChoices, vocabulary: Vocabulary
    ) -> None:
        self._recipe = recipe
        self._rows = rows
        self._validation = validation
        drawn = np.random.default_rng(0).permutation(len(validation))[: recipe.validation_examples]
        self._held = [validation[int(i)] for i in drawn]
        self._vocabulary = vocabulary

    def batches(self) -> Iterator[ChoiceBatch]:
        return planned_batches(self._rows, self._vocabulary, self._recipe)

    def loss(self, weights: FullWeights, batch: ChoiceBatch) -> dict[str, Tensor]:
        view: Any = _View(weights, self._recipe)
        batch = batch.to(view.device)
        return losses(batch_scores(view, batch), batch, self._recipe)

    def validate(self, weights: FullWeights) -> dict[str, float]:
        return validate(_View(weights, self._recipe), self._held, self._vocabulary)

    def fingerprints(self) -> dict[str, dict[str, object]]:
        parts = {"grounded": self._rows, "validation": self._validation}
        return {name: {"rows": len(rows), "sha256": rows.fingerprint()} for name, rows in parts.items()}


class _View:
    """The adapted model as ``generator.train.choices`` calls a GPT-2, computing in the recipe's precision."""

    def __init__(self, weights: FullWeights, recipe: ChooseRecipe) -> None:
        self._weights = weights
        self._recipe = recipe
        self.device = weights.model.device

    def eval(self) -> _View:
        self._weights.model.eval()
        return self

    def train(self) -> None:
        self._weights.model.train()

    def transformer(
        self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor, use_cache: bool
    ) -> tuple[Tensor]:
        assert not use_cache
        with mixed_precision(self.device, self._recipe):
            return (self._weights.hidden_states(input_ids, position_ids, attention_mask),)

    def lm_head(self, states: Tensor) -> Tensor:
        with mixed_precision(self.device, self._recipe):
            logits: Tensor = self._weights.model.lm_head(states)
            return logits


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


def losses(scores: Scores, batch: ChoiceBatch, recipe: ChooseRecipe) -> dict[str, Tensor]:
    """Nats a choice by itself, nats a first choice beside the evidence, nats a token of what is rightly said."""
    weights = torch.where(batch.is_first, 1.0, recipe.later_weight)
    each = functional.cross_entropy(scores.of, batch.right, reduction="none")
    found = {
        "choosing": (each * weights).sum() / weights.sum(),
        "writing": -recipe.writing_weight * scores.said.mean(),
    }
    values, right = beside_evidence(scores, batch, recipe.model_weight)
    if len(values):
        # A batch without evidence of the product's would otherwise count for one with it.
        share = len(values) / int(batch.is_first.sum())
        found["beside"] = recipe.beside_weight * share * functional.cross_entropy(values, right)
    return found


def beside_evidence(scores: Scores, batch: ChoiceBatch, model_weight: float) -> tuple[Tensor, Tensor]:
    """What ``generator.composition`` adds up for each snippet, (n_weighed, n_snippets), and which of them is right.

    Of the first choices that the evidence was weighed for and something shown answers.
    """
    weighed = batch.is_weighed.nonzero()[:, 0]
    snippets = batch.snippet[weighed]  # (n_weighed, n_candidates), 0 for declining
    own = snippets[:, :, None] == torch.arange(1, int(batch.snippet.max()) + 1, device=snippets.device)
    nothing = torch.finfo(torch.float32).min / 4  # finite, or the gradient of a snippet that is not there is no number
    nats = scores.of[weighed, :, None].masked_fill(~own, nothing).logsumexp(1)
    odds = batch.log_odds[weighed, :, None].masked_fill(~own, nothing).amax(1)
    return model_weight * nats + odds, snippets.gather(1, batch.right[weighed, None])[:, 0] - 1


@torch.no_grad()
def validate(model: Any, choices: Sequence[Choice], vocabulary: Vocabulary) -> dict[str, float]:
    """Figures of ``choices``, for a GPT-2 or what is called like one.

    ``first``: share of answerable questions whose first sentence is right, ``[0]`` left out; ``stop`` and ``go_on``:
    share of later choices that are right, where the end is and where it is not; ``decline``: area under the curve of
    ``[0]``'s margin over the best sentence; ``loss``: nats a choice. Where the evidence was weighed, ``beside`` is the
    share of snippets rightly chosen with its log-odds, ``evidence`` that of the evidence alone.
    """
    model.eval()
    found: dict[str, list[float]] = {name: [] for name in ("loss", "first", "stop", "go_on", "beside", "evidence")}
    margins: dict[bool, list[float]] = {True: [], False: []}
    trees = sorted((choice_tree(choice, vocabulary) for choice in choices), key=lambda pair: len(pair[0]))
    for at in range(0, len(trees), _VALIDATED_TOGETHER):
        batch = choice_batch(trees[at : at + _VALIDATED_TOGETHER]).to(model.device)
        scores = batch_scores(model, batch)
        for name, weight in (("beside", WEIGHTS.model), ("evidence", 0.0)):
            values, best = beside_evidence(scores, batch, weight)
            found[name] += (values.argmax(1) == best).float().tolist() if len(values) else []
        of = scores.of.cpu()
        found["loss"] += functional.cross_entropy(of, batch.right.cpu(), reduction="none").tolist()
        facts = zip(batch.right.tolist(), batch.is_first.tolist(), batch.sizes.tolist(), strict=True)
        for row, (right, is_first, size) in zip(of, facts, strict=True):
            ends = right == size - 1
            if is_first:
                margins[ends].append(float(row[size - 1] - row[: size - 1].max()))
                if not ends:
                    found["first"].append(float(int(row[: size - 1].argmax()) == right))
            else:
                found["stop" if ends else "go_on"].append(float(int(row[:size].argmax()) == right))
    model.train()
    told = {name: round(float(np.mean(values)), 4) for name, values in found.items() if values}
    is_known = margins[True] and margins[False]
    return told | ({"decline": round(roc_auc(margins[True], margins[False]), 4)} if is_known else {})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    choose(read_recipe(Path(sys.argv[1]), ChooseRecipe))
