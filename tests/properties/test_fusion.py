from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retriever.fusion import Floats, fuse, lexical_similarity, semantic_similarity

cosine = st.floats(-1, 1, width=32)
score = st.floats(0, 100, width=32)
share = st.floats(0, 1)


def row(value: float) -> Floats:
    return np.array([value], dtype=np.float32)


def fused(cos: float, question: float, words: float, ceiling: float, weight: float) -> float:
    semantic = semantic_similarity(row(cos), row(question))
    return float(fuse(semantic, lexical_similarity(row(words), ceiling), weight)[0])


@given(cosine, cosine | st.just(float("nan")), score, score, share)
def test_score_is_always_in_0_to_1(cos: float, question: float, words: float, ceiling: float, weight: float) -> None:
    assert 0.0 <= fused(cos, question, words, ceiling, weight) <= 1.0


@given(cosine, cosine, cosine, score, score, score, share)
def test_score_never_falls_when_a_half_rises(
    cos: float, more_cos: float, question: float, words: float, more_words: float, ceiling: float, weight: float
) -> None:
    low = fused(min(cos, more_cos), question, min(words, more_words), ceiling, weight)
    high = fused(max(cos, more_cos), question, max(words, more_words), ceiling, weight)
    assert low <= high


@given(cosine, score)
def test_weight_at_its_ends_is_one_half_alone(cos: float, words: float) -> None:
    semantic, lexical = semantic_similarity(row(cos), row(float("nan"))), lexical_similarity(row(words), 100.0)
    np.testing.assert_allclose(fuse(semantic, lexical, 1.0), semantic, atol=1e-6)
    np.testing.assert_allclose(fuse(semantic, lexical, 0.0), lexical, atol=1e-6)


@given(cosine, cosine)
def test_question_can_only_help(cos: float, question: float) -> None:
    alone = semantic_similarity(row(cos), row(float("nan")))
    assert semantic_similarity(row(cos), row(question)) >= alone


@given(score)
def test_query_without_terms_has_no_lexical_half(words: float) -> None:
    assert lexical_similarity(row(words), 0.0) == 0.0


@given(st.lists(st.tuples(cosine, score), min_size=2, max_size=8), share)
def test_order_of_the_rows_does_not_matter(rows: list[tuple[float, float]], weight: float) -> None:
    cosines = np.array([r[0] for r in rows], dtype=np.float32)
    words = np.array([r[1] for r in rows], dtype=np.float32)
    none = np.full(len(rows), np.nan, dtype=np.float32)
    forward = fuse(semantic_similarity(cosines, none), lexical_similarity(words, 50.0), weight)
    backward = fuse(semantic_similarity(cosines[::-1], none), lexical_similarity(words[::-1], 50.0), weight)
    np.testing.assert_array_equal(forward, backward[::-1])
