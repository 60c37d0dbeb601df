from __future__ import annotations

import json
from hashlib import sha256

import pytest

from domain.access import AccessRole
from tests.api.conftest import FAQ, RETURNS, Desk, GatedLanguageModel, OpenDesk, events_of

WARRANTY = "How long is the warranty on a lamp?"
RETURN = "Within how many days of delivery can you send an item back?"
STREAM = {"Accept": "text/event-stream"}
ANSWER_FIELDS = {
    "answer_id", "text", "status", "path", "confidence", "sentences", "citations", "generation", "model", "timings_ms",
    "language", "notice",
}  # fmt: skip
CITATION_FIELDS = {
    "n", "document_id", "source", "title", "version", "passage_id", "start_char", "end_char", "quote", "sha256",
    "score",
}  # fmt: skip


def test_answer_has_the_promised_shape_and_quotes_that_stand_in_the_document(shop: Desk) -> None:
    answer = shop.customer(
        "POST", f"/v1/conversations/{shop.conversation()}/messages", json={"content": WARRANTY}
    ).json()
    assert answer.keys() == ANSWER_FIELDS
    assert answer["status"] == "answered"
    assert answer["path"] == "curated"
    assert 0 <= answer["confidence"] <= 1
    assert answer["text"] == "Every lamp has a warranty of three years. [1]"
    assert answer["sentences"] == [{"text": "Every lamp has a warranty of three years.", "citations": [1]}]
    assert {"retrieve", "generate", "verify", "total"} <= answer["timings_ms"].keys()
    [citation] = answer["citations"]
    assert citation.keys() == CITATION_FIELDS
    address = f"/v1/documents/{citation['document_id']}/text?version={citation['version']}"
    text = shop.customer("GET", address).json()["text"]
    assert text[citation["start_char"] : citation["end_char"]] == citation["quote"]
    assert sha256(citation["quote"].encode()).hexdigest() == citation["sha256"]


def test_stream_sends_passages_then_citation_before_its_sentence_then_the_answer(shop: Desk) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    response = shop.customer("POST", path, json={"content": WARRANTY}, headers=STREAM)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "content-length" not in response.headers
    events = events_of(response.text)
    assert [name for name, _ in events] == ["passages", "citation", "sentence", "answer"]
    data = [json.loads(text) for _, text in events]
    assert data[0]["passage_ids"]
    assert data[1]["n"] == 1
    assert data[2] == {"text": "Every lamp has a warranty of three years.", "citations": [1]}
    assert data[3].keys() == ANSWER_FIELDS


@pytest.mark.parametrize(
    ("question", "last"), [("I want to talk to a human.", "handoff"), ("Hello", "answer"), (WARRANTY, "answer")]
)
def test_last_event_says_how_it_ended(shop: Desk, question: str, last: str) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    events = events_of(shop.customer("POST", path, json={"content": question}, headers=STREAM).text)
    assert events[-1][0] == last


def test_empty_knowledge_base_refuses_politely(shared_desk: Desk) -> None:
    path = f"/v1/conversations/{shared_desk.conversation()}/messages"
    response = shared_desk.customer("POST", path, json={"content": WARRANTY}, headers=STREAM)
    name, data = events_of(response.text)[-1]
    assert (response.status_code, name) == (200, "refusal")
    assert json.loads(data)["path"] == "refusal"
    assert json.loads(data)["citations"] == []


def test_conversation_is_kept_in_order_with_its_answers(shop: Desk) -> None:
    path = f"/v1/conversations/{shop.conversation(collection='shop')}/messages"
    first = shop.customer("POST", path, json={"content": WARRANTY}).json()
    shop.customer("POST", path, json={"content": RETURN}, headers=STREAM)
    messages = shop.customer("GET", path).json()["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant"]
    assert [m["content"] for m in messages if m["role"] == "user"] == [WARRANTY, RETURN]
    assert messages[1]["answer"] == first
    assert messages[1]["message_id"] == first["answer_id"]
    assert messages[0]["answer"] is None


def test_answer_is_recorded_with_a_receipt_before_the_client_has_it(shop: Desk) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    answer = shop.customer("POST", path, json={"content": WARRANTY}).json()
    assert shop.services.conversations.receipt(answer["answer_id"])["path"] == "curated"
    assert "receipt" not in answer


def test_collection_of_the_conversation_limits_its_answers(shop: Desk) -> None:
    path = f"/v1/conversations/{shop.conversation(collection='elsewhere')}/messages"
    assert shop.customer("POST", path, json={"content": WARRANTY}).json()["status"] == "refused"


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "empty"), ("   \n", "empty"), ("x" * 20_000, "20,000"), ("?!…", "letter")],
)
@pytest.mark.parametrize("headers", [{}, STREAM])
def test_unusable_question_is_422_with_a_remedy_also_when_streaming(
    shop: Desk, content: str, words: str, headers: dict[str, str]
) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    response = shop.customer("POST", path, json={"content": content}, headers=headers)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"].replace("20000", "20,000")
    assert response.json()["remedy"]
    assert shop.customer("GET", path).json()["messages"] == []


@pytest.mark.parametrize(
    "body",
    [
        '{"content": "a\\u0000b"}',
        '{"content": "half \\ud800"}',
        '{"content": 7}',
        '{"content": "x", "role": "admin"}',
        "{}",
        "[]",
        "{",
    ],
)
def test_malformed_message_is_422_and_not_repeated(shop: Desk, body: str) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    response = shop.customer("POST", path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["field"].startswith("body")
    assert "input" not in response.json()["errors"][0]


def test_somebody_elses_conversation_is_not_found(shop: Desk) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    for role in (AccessRole.STAFF, AccessRole.ADMIN):
        assert shop.call(role, "GET", path).status_code == 404
        assert shop.call(role, "POST", path, json={"content": "hi"}).status_code == 404
        assert shop.call(role, "POST", path, json={"content": "hi"}, headers=STREAM).status_code == 404


def test_feedback_is_kept_and_may_be_changed(shop: Desk) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    answer_id = shop.customer("POST", path, json={"content": WARRANTY}).json()["answer_id"]
    address = f"/v1/messages/{answer_id}/feedback"
    assert shop.customer("POST", address, json={"rating": "up"}).status_code == 204
    body = {"rating": "down", "reason": "Out of date", "comment": "It is five years now."}
    assert shop.customer("POST", address, json=body).status_code == 204
    kept = shop.services.conversations.feedback(answer_id)
    assert kept is not None
    assert (kept.rating, kept.reason, kept.comment) == ("down", "Out of date", "It is five years now.")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"rating": "up"}, 404),
        ({"rating": "sideways"}, 422),
        ({"rating": "up", "comment": "x" * 2001}, 422),
        ({"rating": "up", "answer": "mine"}, 422),
    ],
)
def test_bad_feedback_is_refused(shop: Desk, body: dict[str, str], status: int) -> None:
    assert shop.customer("POST", "/v1/messages/0199-nothing/feedback", json=body).status_code == status


def test_session_on_loopback_can_chat_but_not_read_the_ledger_or_others_conversations(shop: Desk) -> None:
    session = shop.client.post("/v1/session", json={}).json()
    assert session["role"] == "customer"
    own = {"Authorization": f"Bearer {session['token']}"}
    conversation = shop.client.post("/v1/conversations", headers=own).json()["conversation_id"]
    path = f"/v1/conversations/{conversation}/messages"
    assert shop.client.post(path, headers=own, json={"content": WARRANTY}).status_code == 200
    assert shop.client.get("/v1/documents", headers=own).status_code == 403
    assert shop.client.get(f"/v1/conversations/{shop.conversation()}/messages", headers=own).status_code == 404
    other = shop.client.post("/v1/session").json()["token"]
    assert shop.client.get(path, headers={"Authorization": f"Bearer {other}"}).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Sec-Fetch-Site": "cross-site"}, 403), ({"X-Forwarded-For": "203.0.113.9"}, 401), ({"Forwarded": "for=x"}, 401)],
)
def test_session_is_not_for_other_sites_or_proxied_callers(shop: Desk, headers: dict[str, str], status: int) -> None:
    assert shop.client.post("/v1/session", headers=headers).status_code == status


@pytest.mark.parametrize("setup", [{"host": "0.0.0.0"}, {"address": "203.0.113.9"}])
def test_session_is_refused_off_loopback(open_desk: OpenDesk, setup: dict[str, str]) -> None:
    response = open_desk(**setup).client.post("/v1/session")
    assert response.status_code == 401
    assert "key create" in response.json()["remedy"]


def test_more_answers_than_slots_get_503_with_retry_after_and_slots_come_back(open_desk: OpenDesk) -> None:
    model = GatedLanguageModel()
    desk = open_desk(language_model=model, max_concurrent_answers=1)
    desk.ingest(("returns.md", RETURNS))
    path = f"/v1/conversations/{desk.conversation()}/messages"
    with desk.app.state.slots.take():
        for headers in ({}, STREAM):
            busy = desk.customer("POST", path, json={"content": RETURN}, headers=headers)
            assert busy.status_code == 503
            assert int(busy.headers["retry-after"]) >= 1
            assert busy.json()["title"] == "Server busy"
    model.gate.set()
    for headers in ({}, STREAM, {}):
        assert desk.customer("POST", path, json={"content": RETURN}, headers=headers).status_code == 200


def test_composed_answer_streams_verified_sentences_only(open_desk: OpenDesk) -> None:
    model = GatedLanguageModel()
    model.gate.set()
    desk = open_desk(language_model=model)
    desk.ingest(("returns.md", RETURNS), ("faq.csv", FAQ))
    path = f"/v1/conversations/{desk.conversation()}/messages"
    text = desk.customer("POST", path, json={"content": RETURN}, headers=STREAM).text
    answer = json.loads(events_of(text)[-1][1])
    assert answer["path"] == "generated"
    assert answer["model"] == "gated"
    sentences = [json.loads(data) for name, data in events_of(text) if name == "sentence"]
    assert sentences == answer["sentences"]
