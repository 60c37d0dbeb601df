"""The gate before a new model: it may answer only if the answers get better and the proof does not get worse.

Both models answer the same questions over the same knowledge base; ``generator.evaluation`` measures them. What is here
only compares, so the same figures always give the same verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from generator.evaluation import EvaluationReport

_QUALITY = ("f1", "facts")
_PROOF = ("support", "citation_precision", "refused_share")


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """How one model answered ``questions`` questions; shares from 0 to 1, named as in ``EvaluationReport.overall``.

    The shares of answered and refused questions are None where the whole product was not asked: in it, the calibrated
    confidence refuses, and no model has a say.
    """

    questions: int
    f1: float
    facts: float
    citation_precision: float
    support: float
    answered_share: float | None = None
    refused_share: float | None = None

    @classmethod
    def of(cls, report: EvaluationReport) -> ModelFigures:
        names = (*_QUALITY, *_PROOF, "answered_share")
        return cls(questions=report.queries, **{name: report.overall[name].mean for name in names})


@dataclass(frozen=True, slots=True)
class Margins:
    """``rise``: by how much F1 or facts must rise; ``slack``: what any figure may lose, since a mean has noise."""

    rise: float = 0.005
    slack: float = 0.005


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """``reasons`` is empty exactly when the gate was passed. ``against`` is the model that ``before`` belongs to."""

    against: str
    before: ModelFigures
    after: ModelFigures
    margins: Margins
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.reasons

    def to_dict(self) -> dict[str, Any]:
        """What the registry keeps with the model."""
        return asdict(self) | {"passed": self.passed, "reasons": list(self.reasons)}


def judge(against: str, before: ModelFigures, after: ModelFigures, margins: Margins | None = None) -> GateVerdict:
    """Compare a new model with the live one (``against``).

    Passed when F1 or the share of answers with every fact rises by ``margins.rise`` and neither falls, and support,
    citation precision and the refused share of unanswerable questions do not fall. A figure that is not a number fails.
    """
    margins = margins or Margins()
    old, new = asdict(before), asdict(after)
    reasons = []
    if before.questions != after.questions or not after.questions:
        reasons.append(f"It was asked {after.questions} questions, the live model {before.questions}.")
    if not any(new[name] - old[name] >= margins.rise for name in _QUALITY):
        f1, facts = _change("f1", old, new), _change("facts", old, new)
        rises = f"Neither {f1} nor {facts} rises by {margins.rise}."
        reasons.append(rises if margins.rise > 0 else f"Both {f1} and {facts} fall by more than {-margins.rise}.")
    reasons.extend(
        f"{_change(name, old, new)} falls by more than {margins.slack}."
        for name in (*_QUALITY, *_PROOF)
        if (old[name], new[name]) != (None, None)
        and not new[name] - old[name] >= -margins.slack  # written so that nan fails
    )
    return GateVerdict(against, before, after, margins, tuple(reasons))


def _change(name: str, old: Mapping[str, float], new: Mapping[str, float]) -> str:
    return f"{name} ({old[name]:.3f} to {new[name]:.3f})"
