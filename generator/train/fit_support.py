"""Fits the verifier's weights: how much each kind of difference speaks against a sentence.

    python -m generator.train.fit_support ../shared/data generator/models/verifier/support.json

Only the fitting part of the documents and the fitted families of corruption are read; the held-out families, the
held-out documents and the hand-written cases never are. The threshold is the lowest that keeps every target family at
its rejection, each case scored by weights that were fitted without it (five folds).
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types

from generator.support import best_support
from generator.support_model import CAP, HARD, shipped_model
from generator.train.corruptions import FITTED
from generator.train.support_data import Case, faithful_cases, false_cases

TARGETS = {
    **dict.fromkeys(("number", "date", "name", "negation"), 0.98),
    **dict.fromkeys(("swapped condition", "merged facts"), 0.90),
}
_PER_FAMILY = 120
_SEED = 7
_FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    cases = fitting_cases(arguments.data)
    found = [differences_of(case) for case in cases]
    arguments.out.write_text(json.dumps(fit(cases, found), indent=1) + "\n", encoding="utf-8")


def fitting_cases(data: Path) -> list[Case]:
    """At most 120 of every family, of the fitting part only."""
    rng = random.Random(_SEED)  # noqa: S311 - sampling, no secret
    every = [*faithful_cases(data, rng, 60), *false_cases(data, FITTED, rng, 60)]
    chosen: list[Case] = []
    for family in sorted({case.family for case in every}):
        own = [case for case in every if case.family == family and not case.is_test]
        chosen += rng.sample(own, min(_PER_FAMILY, len(own)))
    rng.shuffle(chosen)
    return chosen


def differences_of(case: Case) -> Mapping[str, int]:
    support = best_support(case.sentence, case.evidence, shipped_model().weigh, case.heading)
    return {"new": CAP} if support is None else support.differences


def fit(cases: Sequence[Case], found: Sequence[Mapping[str, int]]) -> dict[str, object]:
    names = sorted({name for differences in found for name in differences})
    x = np.array([[min(differences.get(name, 0), CAP) for name in names] for differences in found], dtype=np.float64)
    y = np.array([case.is_faithful for case in cases])
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
    hard = np.array([any(n and name in HARD for name, n in differences.items()) for differences in found])
    scores = np.full(len(cases), -1.0)
    for fold in range(_FOLDS):
        unseen = np.arange(len(cases)) % _FOLDS == fold
        model.fit(x[~unseen], y[~unseen])
        scores[unseen] = _probability(model, x[unseen])
    scores[hard] = -1.0
    threshold = lowest_threshold(scores, cases)
    model.fit(x, y)
    weights = _weights(model)
    return {
        "intercept": round(float(model.intercept_[0]), 3),
        "weights": {name: round(float(w), 3) for name, w in zip(names, weights, strict=True) if w},
        "threshold": math.floor(1000 * threshold) / 1000,  # rounded up, it would refuse what sits on it
        "fitted_on": len(cases),
    }


def _weights(model: LogisticRegression) -> NDArray[np.float64]:
    """No difference speaks for a sentence."""
    weights: NDArray[np.float64] = np.minimum(model.coef_[0], 0.0)
    return weights


def _probability(model: LogisticRegression, x: NDArray[np.float64]) -> NDArray[np.float64]:
    odds: NDArray[np.float64] = model.intercept_[0] + x @ _weights(model)
    return 1 / (1 + np.exp(-odds))


def lowest_threshold(scores: NDArray[np.float64], cases: Sequence[Case]) -> float:
    """Rejection wins: where no threshold reaches every target, the one that rejects most."""
    families = np.array([case.family for case in cases])
    steps = sorted({float(s) for s in scores if s >= 0})
    for threshold in steps:
        if all(np.mean(scores[families == name] < threshold) >= target for name, target in TARGETS.items()):
            return threshold
    return steps[-1]


if __name__ == "__main__":
    main()
