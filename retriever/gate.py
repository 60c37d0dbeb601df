"""The gate before a new generation: does what was read back from disk find what was put in, and what staff expect?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import GateFailed
from retriever.segment import Segment
from retriever.snapshot import LiveSegment, Query, Snapshot
from retriever.terms import extract_terms

SAMPLE = 200
_SELF_RECALL_AT_1 = 0.99
_FAQ_RECALL_AT_5 = 0.9
_EXACT_PROBES = 10  # each is compared with every row
_EXACT_RECALL_AT_10 = 0.95
_CHUNK = 20_000  # rows decoded at once
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
    exact_recall_at_10: float = 1.0

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GoldenFigures:
    """Recall@5 on the company's golden questions; ``before`` is the live generation's, None without one."""

    after: float
    before: float | None

    def to_dict(self) -> dict[str, float]:
        figures = {"golden_recall_at_5": self.after}
        return figures if self.before is None else {**figures, "golden_recall_at_5_before": self.before}


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
        exact_recall_at_10=float(np.mean([_agrees(segment, probe) for probe in probes[:_EXACT_PROBES]] or [1.0])),
    )


def check(figures: GateFigures) -> None:
    """Raises:
    GateFailed: a figure is below its bound.
    """
    bounds = (
        ("self-recall@1", figures.self_recall_at_1, _SELF_RECALL_AT_1, figures.passages_probed),
        ("FAQ recall@5", figures.faq_recall_at_5, _FAQ_RECALL_AT_5, figures.questions_probed),
        ("recall@10 against exact search", figures.exact_recall_at_10, _EXACT_RECALL_AT_10, _EXACT_PROBES),
    )
    for name, figure, bound, probed in bounds:
        if figure < bound:
            raise GateFailed(
                f"The new generation has a {name} of {figure:.3f} over {probed} probes, at least {bound} is needed.",
                "The live generation stays. Run the re-index again with --full; if it fails again, check the disk.",
            )


def check_golden(figures: GoldenFigures, floor: float, margin: float) -> None:
    """Raises:
    GateFailed: recall is below ``floor``, or more than ``margin`` below the live generation's.
    """
    before = 0.0 if figures.before is None else figures.before
    if figures.after < floor or figures.after < before - margin:
        compared = "" if figures.before is None else f"; the live generation has {before:.3f}"
        raise GateFailed(
            f"The new generation has a recall@5 of {figures.after:.3f} on the golden questions, at least {floor} is "
            f"needed and a drop of at most {margin} allowed{compared}.",
            "The live generation stays. Look at what changed in the documents or in the settings of the search.",
        )


def _agrees(segment: Segment, probe: Probe, k: int = 10) -> float:
    """Share of the ``k`` nearest rows that the index finds; a row as near as the k-th counts as one of them."""
    dense = segment.dense
    found = dense.search(probe.vector, k, np.ones(dense.rows, dtype=np.bool_))
    chunks = [np.arange(start, min(start + _CHUNK, dense.rows)) for start in range(0, dense.rows, _CHUNK)]
    exact = np.sort(np.concatenate([dense.cosines(probe.vector, rows) for rows in chunks]))[-k:]
    near = dense.cosines(probe.vector, found) >= exact[0] - (1 - _SAME)
    return float(np.count_nonzero(near)) / len(exact)


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
