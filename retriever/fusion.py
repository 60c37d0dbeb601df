"""One score from two halves. Pure functions; 0..1 means the same in every knowledge base.

Both halves are brought to an absolute scale instead of being divided by the best hit of the query: a question that
nothing answers then has a low best score, which is what a confidence is read from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# BM25 saturates at 1 for a term, but one occurrence in a passage of mean length gives 1 / (1 + K1) = 0.4. This bend
# lifts that to 0.67, so that a passage holding every word of the question is not far from the top of the scale.
_BEND = 0.5


def semantic_similarity(cosines: Floats, question_cosines: Floats) -> Floats:
    """The nearer of passage and FAQ question; NaN in ``question_cosines`` where a passage has no question."""
    return np.asarray(np.clip(np.fmax(cosines, question_cosines), 0.0, 1.0), dtype=np.float32)


def lexical_similarity(scores: Floats, ceiling: float) -> Floats:
    """BM25 scores as a bent share of ``ceiling``, the score of a passage saturated with every term of the query."""
    if ceiling <= 0:
        return np.zeros_like(scores)
    share = np.clip(scores.astype(np.float64) / ceiling, 0.0, 1.0)
    return np.asarray(share * (1 + _BEND) / (share + _BEND), dtype=np.float32)


def fuse(semantic: Floats, lexical: Floats, dense_weight: float) -> Floats:
    """Weighted mean of two scores in 0..1, row by row; rises with each of them."""
    fused = dense_weight * semantic.astype(np.float64) + (1.0 - dense_weight) * lexical.astype(np.float64)
    return np.clip(fused, 0.0, 1.0).astype(np.float32)
