from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import GateFailed
from retriever.dense import DenseIndex
from retriever.gate import GateFigures, Probe, check, measure
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import segment_of, stored

EMBEDDER = HashEmbedder(256)
PASSAGES = [stored(f"Answer about matter{n} and thing{n}.", n, question=f"What of case{n}?") for n in range(20)]


def probes() -> list[Probe]:
    rows = EMBEDDER.encode_documents([s.passage.search_text for s in PASSAGES])
    questions = EMBEDDER.encode_documents([s.passage.question or "" for s in PASSAGES])
    return [Probe(s.passage.passage_id, rows[n], s.passage.question, questions[n]) for n, s in enumerate(PASSAGES)]


def test_sound_generation_passes() -> None:
    figures = measure(segment_of(PASSAGES, EMBEDDER), probes(), 0.6)
    assert figures == GateFigures(1.0, 20, 1.0, 20)
    check(figures)


def test_rows_out_of_step_with_their_ids_are_caught() -> None:
    segment = segment_of(PASSAGES, EMBEDDER)
    figures = measure(replace(segment, passage_ids=np.roll(segment.passage_ids, 1)), probes(), 0.6)
    assert figures.self_recall_at_1 < 0.5
    with pytest.raises(GateFailed, match="self-recall@1"):
        check(figures)


def test_lost_vectors_are_caught() -> None:
    segment = segment_of(PASSAGES, EMBEDDER)
    blank = DenseIndex.build(np.zeros((segment.dense.rows, 256), dtype=np.float32))
    assert measure(replace(segment, dense=blank), probes(), 0.6).self_recall_at_1 == 0.0


def test_missing_passages_are_caught() -> None:
    with pytest.raises(GateFailed):
        check(measure(segment_of(PASSAGES[:15], EMBEDDER), probes(), 0.6))


def test_faq_that_repeats_a_question_for_every_shop_passes() -> None:
    same = [stored(f"Shop {n} opens at nine.", n, question="When do you open?") for n in range(30)]
    vector = EMBEDDER.encode_documents(["When do you open?"])[0]
    texts = EMBEDDER.encode_documents([s.passage.search_text for s in same])
    asked = [Probe(s.passage.passage_id, texts[n], s.passage.question, vector) for n, s in enumerate(same)]
    check(measure(segment_of(same, EMBEDDER), asked, 0.6))


def test_low_faq_recall_fails() -> None:
    with pytest.raises(GateFailed, match="FAQ recall@5"):
        check(GateFigures(1.0, 10, 0.89, 100))


class Forgetful(DenseIndex):
    """Misses every other row, as inverted lists do that are probed too sparsely."""

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        return super().search(query, k, allowed)[::2]


@pytest.mark.parametrize("flat_limit", [200_000, 10])
def test_search_that_agrees_with_the_exact_one_passes(flat_limit: int) -> None:
    segment = segment_of(PASSAGES, EMBEDDER, flat_limit)
    assert measure(segment, probes(), 0.6).exact_recall_at_10 >= 0.95


def test_search_that_misses_the_nearest_rows_is_caught() -> None:
    segment = segment_of(PASSAGES, EMBEDDER)
    figures = measure(replace(segment, dense=Forgetful(segment.dense._index)), probes(), 0.6)
    assert figures.self_recall_at_1 == 1.0
    assert figures.exact_recall_at_10 == pytest.approx(0.5)
    with pytest.raises(GateFailed, match="exact search"):
        check(figures)


def test_nothing_to_probe_passes() -> None:
    check(measure(segment_of([], EMBEDDER), [], 0.6))
