"""Learning to choose, within the common loop: see ``generator.train.choose`` for the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from generator.train.adapters import FullWeights
from generator.train.candidate_trees import ChoiceBatch, batch_scores
from generator.train.choices import PackedChoices, Vocabulary
from generator.train.choose import ChooseRecipe, losses, planned_batches, validate
from generator.train.optimization import mixed_precision


class ChoiceObjective:
    """See ``generator.train.loop.Objective``."""

    def __init__(
        self, recipe: ChooseRecipe, rows: PackedChoices, validation: PackedChoices, vocabulary: Vocabulary
    ) -> None:
        self._recipe = recipe
        self._rows = rows
        self._validation = validation
        self._vocabulary = vocabulary

    def batches(self) -> Iterator[ChoiceBatch]:
        return planned_batches(self._rows, self._vocabulary, self._recipe)

    def loss(self, weights: FullWeights, batch: ChoiceBatch) -> dict[str, Tensor]:
        view: Any = _View(weights, self._recipe)
        batch = batch.to(view.device)
        choosing, writing = losses(batch_scores(view, batch), batch, self._recipe)
        return {"choosing": choosing, "writing": self._recipe.writing_weight * writing}

    def validate(self, weights: FullWeights) -> dict[str, float]:
        view: Any = _View(weights, self._recipe)
        choices = [self._validation[i] for i in range(len(self._validation))]
        return validate(view, choices[: self._recipe.validation_examples], self._vocabulary)

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
