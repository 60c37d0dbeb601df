"""Calibrated refusal: the probability that what would be said answers the question, and how low it may be.

A logistic regression on the features of ``generator.confidence``, fitted by ``generator.train.refusal`` on labelled
questions and shipped beside the GPT-2. Beside it stands the curve that was measured then:
how many questions are answered, and how many of the answers are wrong, from each confidence on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.errors import ModelMissing

REFUSAL_FILE = "refusal.json"
NOTHING = -12.0  # log-odds of what is not there
SHIPPED_CALIBRATION = Path(__file__).parent / "models" / "answerdesk-refusal"
READING_CALIBRATION = SHIPPED_CALIBRATION.with_name("answerdesk-refusal-reading")  # of the features with a reader's


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """From ``confidence`` on: the share of questions ``answered``, and of those answers the share ``wrong``."""

    confidence: float
    answered: float
    wrong: float


@dataclass(frozen=True, slots=True)
class RefusalModel:
    """``weights`` by feature name; a feature without one counts nothing. ``curve`` rises in confidence.

    ``refuse_below`` is the confidence from which it answers as it was shipped.
    """

    bias: float
    weights: Mapping[str, float]
    refuse_below: float = 0.5
    curve: Sequence[CurvePoint] = ()

    @classmethod
    def load(cls, folder: Path) -> RefusalModel:
        """
        Raises:
            ModelMissing: no such file, or it is not what ``generator.train.refusal`` writes.
        """
        try:
            facts = json.loads((folder / REFUSAL_FILE).read_text(encoding="utf-8"))
            curve = tuple(CurvePoint(*map(float, point)) for point in facts["curve"])
            weights = {str(name): float(weight) for name, weight in facts["weights"].items()}
            return cls(float(facts["bias"]), weights, float(facts["refuse_below"]), curve)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelMissing(
                f"The calibration of refusals in {folder.name} cannot be read: {error}", "Reinstall Answerdesk."
            ) from error

    def probability(self, features: Mapping[str, float]) -> float:
        """0..1 that the best evidence answers the question."""
        total = self.bias + sum(weight * features[name] for name, weight in self.weights.items())
        return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, total))))

    def threshold(self, max_wrong: float) -> float:
        """The lowest confidence from which at most ``max_wrong`` of the answers were wrong; 1.0 if there is none."""
        good = [point.confidence for point in self.curve if point.wrong <= max_wrong]
        return min(good, default=1.0)
