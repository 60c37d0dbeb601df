"""How much each kind of difference weighs against a sentence: a logistic model stored as JSON beside the shipped model.

Fitted by ``generator.train.fit_support``. The hard differences are no matter of weight: one of them is a refusal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

# fmt: off
HARD = frozenset((
    "number", "name", "nameless", "name modifier", "new", "repeated", "role", "glue", "joint", "negation", "modal",
    "quantifier", "bound", "time", "condition", "restriction", "fact left out", "limit left out", "person", "pronoun",
    "tense", "question", "exchanged", "modifier left out", "substitution",
))
# fmt: on
CAP = 3


@dataclass(frozen=True, slots=True)
class SupportModel:
    """Log-odds of support: ``intercept`` plus the weight of every difference, each counted up to ``CAP``.

    Weights are never positive.
    """

    intercept: float
    weights: Mapping[str, float]
    threshold: float

    def probability(self, differences: Mapping[str, int]) -> float:
        odds = self.intercept + sum(self.weights.get(name, 0.0) * min(n, CAP) for name, n in differences.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))

    def weigh(self, differences: Mapping[str, int]) -> float:
        """The graver, the larger; any hard difference outweighs all others."""
        hard = sum(n for name, n in differences.items() if name in HARD)
        return hard + 1 - self.probability(differences)

    def accepts(self, differences: Mapping[str, int]) -> bool:
        is_hard = any(n and name in HARD for name, n in differences.items())
        return not is_hard and self.probability(differences) >= self.threshold


@lru_cache(maxsize=1)
def shipped_model() -> SupportModel:
    held = json.loads(files("generator").joinpath("models/verifier/support.json").read_text(encoding="utf-8"))
    return SupportModel(held["intercept"], held["weights"], held["threshold"])
