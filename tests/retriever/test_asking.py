from __future__ import annotations

import numpy as np

from domain.protocols import SearchContext
from retriever.asking import Asked
from tests.fakes import HashEmbedder

EMBEDDER = HashEmbedder()


def test_a_question_without_context_is_itself() -> None:
    asked = Asked("lamp price", "shop", None)
    vector, alone = asked.encode(EMBEDDER)
    assert alone is None
    assert np.allclose(vector, EMBEDDER.encode_queries(["lamp price"])[0])
    query = asked.query(vector)
    assert (query.terms, query.collection, query.context_terms) == (["lamp", "price"], "shop", ())


def test_similarities_in_context_are_the_weighted_mean_of_both() -> None:
    asked = Asked("and the price", None, SearchContext("a pendant lamp and the price", 0.7))
    own, around = EMBEDDER.encode_queries(["and the price", "a pendant lamp and the price"])
    document = EMBEDDER.encode_documents(["price of the pendant lamp"])[0]
    vector, alone = asked.encode(EMBEDDER)
    assert alone is not None
    assert np.allclose(alone, own)
    assert np.isclose(vector @ document, 0.3 * (own @ document) + 0.7 * (around @ document), atol=1e-6)
    query = asked.query(vector)
    assert (list(query.terms), list(query.context_terms)) == (["price"], ["pendant", "lamp", "price"])
    assert query.context_share == 0.7
