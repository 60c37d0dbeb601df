"""What no dictionary holds, through every route that takes a customer's words: an answer or a reason, never a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import RETURNS, Desk, OpenDesk, _opener

# question -> (status of a search, status of a chat turn, words of the reason)
ODD = {
    "only stop words": ("is it the and of", 200, 200, ""),
    "only emoji": ("🙂🎉👩‍👩‍👧", 200, 422, "no letters"),
    "ten thousand characters": ("lamp " * 2000, 422, 422, "10000 characters"),
    "one word of ten thousand": ("x" * 10_000, 422, 422, "10000 characters"),
    "as long as allowed": ("y " * 2000, 200, 200, ""),
    "right to left and marks": ("\u202e\u0301\u200d سياسة الإرجاع", 200, 200, ""),
    "a NUL character": ("return\x00 it", 422, 422, "NUL"),
    "half of a surrogate pair": ("return \ud800 it", 422, 422, "surrogate"),
    "white space": (" \n\t ", 422, 422, "empty"),
}


@pytest.fixture(scope="module", params=["empty", "filled"])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """An empty knowledge base, and one with a document."""
    with _opener(Path(tmp_path_factory.mktemp("odd"))) as open_desk:
        desk = open_desk()
        if request.param == "filled":
            desk.ingest(("returns.md", RETURNS))
        yield desk


@pytest.mark.parametrize("name", list(ODD))
def test_odd_question_is_answered_or_refused_with_a_reason(desk: Desk, name: str) -> None:
    question, searched, told, reason = ODD[name]
    bodies = {
        "/v1/search": ({"query": question}, searched),
        f"/v1/conversations/{desk.conversation()}/messages": ({"content": question}, told),
        "/v1/chat/completions": ({"model": "answerdesk", "messages": [{"role": "user", "content": question}]}, told),
    }
    for path, (body, status) in bodies.items():
        # Escapes carry what UTF-8 cannot, as a client's JSON library would send it.
        response = desk.customer("POST", path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert response.status_code == status, (path, response.text)
        if status == 422:
            assert reason in response.json()["detail"]
            assert response.json()["remedy"]


def test_empty_knowledge_base_can_be_reindexed_and_says_that_it_knows_nothing(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.staff("POST", "/v1/reindex", json={})
    desk.work()
    assert desk.staff("GET", "/v1/generations").json()["generations"][0]["passage_count"] == 0
    answer = desk.customer(
        "POST", f"/v1/conversations/{desk.conversation()}/messages", json={"content": "How long is the warranty?"}
    ).json()
    assert answer["status"] == "refused"
    assert answer["citations"] == []
