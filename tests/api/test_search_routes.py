from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Desk

PASSAGE_FIELDS = {
    "passage_id", "document_id", "source", "title", "text", "start_char", "end_char", "score",
    "dense_score", "lexical_score",
}  # fmt: skip


def _search(desk: Desk, **body: Any) -> Any:
    return desk.customer("POST", "/v1/search", json=body)


def test_search_gives_passages_best_first_with_their_scores(shop: Desk) -> None:
    body = _search(shop, query="warranty on a lamp").json()
    assert body.keys() == {"passages", "generation"}
    assert body["passages"][0].keys() >= PASSAGE_FIELDS
    assert body["passages"][0]["source"] == "faq.csv"
    assert body["passages"][0]["question"] == "How long is the warranty on a lamp?"
    scores = [passage["score"] for passage in body["passages"]]
    assert scores == sorted(scores, reverse=True)


def test_search_keeps_to_top_k_and_the_collection(shop: Desk) -> None:
    assert len(_search(shop, query="item back", top_k=1).json()["passages"]) == 1
    assert _search(shop, query="item back", filters={"collection": "shop"}).json()["passages"]
    assert _search(shop, query="item back", filters={"collection": "other"}).json()["passages"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": " "},
        {"query": "x" * 20_000},
        {"query": "a\x00b"},
        {"query": "a", "top_k": 0},
        {"query": "a", "top_k": 51},
        {"query": "a", "filters": {"owner": "x"}},
        {"query": "a", "sql": "drop"},
    ],
)
def test_bad_search_is_422(shop: Desk, body: dict[str, Any]) -> None:
    response = _search(shop, **body)
    assert response.status_code == 422
    assert response.json()["remedy"]
