from __future__ import annotations

import numpy as np
import pytest

from retriever.universal import UniversalEmbedder


@pytest.fixture(scope="module")
def embedder() -> UniversalEmbedder:
    embedder = UniversalEmbedder()
    embedder.load()
    return embedder


def test_same_question_in_another_language_is_nearer_than_another_question(embedder: UniversalEmbedder) -> None:
    english = ["How do I return a lamp?", "When does the shop open?"]
    spanish, chinese = embedder.encode_queries(["¿Cómo devuelvo una lámpara?", "我怎么退回台灯？"])
    returning, opening = embedder.encode_documents(english)
    assert spanish @ returning > spanish @ opening
    assert chinese @ returning > chinese @ opening


def test_vectors_do_not_depend_on_the_batch(embedder: UniversalEmbedder) -> None:
    texts = [f"Shelf number {n} holds {n} kettles." for n in range(40)]
    together = embedder.encode_documents(texts)
    alone = np.concatenate([embedder.encode_documents([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "🙂", "a" * 100_000])
def test_any_text_has_a_finite_unit_vector(embedder: UniversalEmbedder, text: str) -> None:
    vector = embedder.encode_queries([text])[0]
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-3)


def test_encoding_before_loading_is_refused() -> None:
    with pytest.raises(RuntimeError, match="load"):
        UniversalEmbedder().encode_queries(["kettle"])
