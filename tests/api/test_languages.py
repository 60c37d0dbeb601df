"""Other languages through HTTP: streamed or not, native or in OpenAI's shape."""

from __future__ import annotations

import json

import pytest

from generator.phrases import Courtesy, notice, phrase
from tests.api.conftest import Desk, events_of

QUESTION = "灯具的保修期 warranty on a lamp 是多久呢？请告诉我"
NOTICE = notice("en", "zh").text
SAID = "Every lamp has a warranty of three years."
STREAM = {"Accept": "text/event-stream"}


def test_streamed_answer_begins_with_the_notice_and_carries_it_as_a_field(shop: Desk) -> None:
    path = f"/v1/conversations/{shop.conversation()}/messages"
    events = events_of(shop.customer("POST", path, json={"content": QUESTION}, headers=STREAM).text)
    data = [(name, json.loads(text)) for name, text in events]
    sentences = [body for name, body in data if name == "sentence"]
    assert sentences == [{"text": NOTICE, "citations": []}, {"text": SAID, "citations": [1]}]
    assert data[-1][0] == "answer"
    assert (data[-1][1]["language"], data[-1][1]["notice"]) == ("zh", NOTICE)
    stored = shop.customer("GET", path).json()["messages"][-1]["answer"]
    assert (stored["language"], stored["notice"]) == ("zh", NOTICE)


@pytest.mark.parametrize("stream", [False, True])
def test_completion_carries_notice_and_language(shop: Desk, stream: bool) -> None:
    body = {"model": "answerdesk", "messages": [{"role": "user", "content": QUESTION}], "stream": stream}
    response = shop.customer("POST", "/v1/chat/completions", json=body)
    if stream:
        chunks = [json.loads(data) for _, data in events_of(response.text) if data != "[DONE]"]
        content = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
        answer = chunks[-1]["answerdesk"]
    else:
        content, answer = response.json()["choices"][0]["message"]["content"], response.json()["answerdesk"]
    assert content == answer["text"] == f"{NOTICE} {SAID} [1]"
    assert (answer["language"], answer["notice"]) == ("zh", NOTICE)


def test_empty_knowledge_base_says_so_in_arabic(shared_desk: Desk) -> None:
    path = f"/v1/conversations/{shared_desk.conversation()}/messages"
    answer = shared_desk.customer("POST", path, json={"content": "ما مدة الضمان؟"}).json()
    said = (Courtesy.NO_KNOWLEDGE, Courtesy.OFFER)
    assert answer["text"] == " ".join(phrase(courtesy, "ar").text for courtesy in said)
    assert (answer["status"], answer["language"], answer["notice"]) == ("refused", "ar", None)
