"""The gate before a new generation: does what was read back from disk find what was put in?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import GateFailed
from retriever.segment import Segment
from retriever.snapshot import LiveSegment, Query, Snapshot
from retriever.terms import extract_terms

SAMPLE = 200
_SELF_RECALL_AT_1 = 0.99
_FAQ_RECALL_AT_5 = 0.9
_SAME = 0.999  # cosine from which two vectors count as one; stored in 16 bits they are not bit-equal


@dataclass(frozen=True, slots=True)
class Probe:
    """A passage kept aside while the generation was built. ``question`` and its vector for FAQ entries only."""

    passage_id: str
    vector: NDArray[np.float32]
    question: str | None = None
    question_vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class GateFigures:
    self_recall_at_1: float
    passages_probed: int
    faq_recall_at_5: float
    questions_probed: int

    def to_dict(self) -> dict[str, float]:
        return {
            "self_recall_at_1": self.self_recall_at_1,
            "passages_probed": self.passages_probed,
            "faq_recall_at_5": self.faq_recall_at_5,
            "questions_probed": self.questions_probed,
        }


def measure(segment: Segment, probes: Sequence[Probe], dense_weight: float) -> GateFigures:
    """Search the loaded-back segment for each probe. Nothing to probe counts as full recall."""
    found = [_finds_itself(segment, probe) for probe in probes]
    asked = [probe for probe in probes if probe.question is not None and probe.question_vector is not None]
    answered = [_answers(segment, probe, dense_weight) for probe in asked]
    return GateFigures(
        self_recall_at_1=float(np.mean(found)) if found else 1.0,
        passages_probed=len(found),
        faq_recall_at_5=float(np.mean(answered)) if answered else 1.0,
        questions_probed=len(answered),
    )


def check(figures: GateFigures) -> None:
    """Raises:
    GateFailed: a figure is below its bound.
    """
    bounds = (
        ("self-recall@1", figures.self_recall_at_1, _SELF_RECALL_AT_1, figures.passages_probed),
        ("FAQ recall@5", figures.faq_recall_at_5, _FAQ_RECALL_AT_5, figures.questions_probed),
    )
    for name, figure, bound, probed in bounds:
        if figure < bound:
            raise GateFailed(
                f"The new generation has a {name} of {figure:.3f} over {probed} probes, at least {bound} is needed.",
                "The live generation stays. Run the re-index again with --full; if it fails again, check the disk.",
            )


def _finds_itself(segment: Segment, probe: Probe) -> bool:
    """The nearest row belongs to the passage, or to one with the very same vector; and its own row holds its vector."""
    own = segment.numbers([probe.passage_id])
    if len(own) == 0 or float(segment.cosines(probe.vector, own)[0]) < _SAME:
        return False
    best = segment.dense.search(probe.vector, 1, np.ones(segment.dense.rows, dtype=np.bool_))
    return len(best) > 0 and float(segment.dense.cosines(probe.vector, best)[0]) >= _SAME


def _answers(segment: Segment, probe: Probe, dense_weight: float) -> bool:
    """The entry, or another with the same question (a FAQ for every shop repeats them), is in the first five hits."""
    assert probe.question is not None
    assert probe.question_vector is not None
    snapshot = Snapshot(revision=0, dimension=segment.dense.dimension, base=LiveSegment.of(segment))
    query = Query(probe.question_vector, extract_terms([probe.question])[0], None)
    hits = snapshot.search(query, candidates=50, dense_weight=dense_weight)[:5]
    return any(hit.passage_id == probe.passage_id or (hit.question_score or 0.0) >= _SAME for hit in hits)
