"""OpenAI's chat completion shapes, read leniently and written exactly.

Clients send many knobs (``temperature``, ``tools``, ``logprobs``); none of them changes an answer that has to be
proved, so they are accepted and ignored. System messages are ignored too: instructions do not come from callers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.errors import ModelUnknown
from api.schemas import AnswerView, CitationView, SearchFilters, Text
from api.turns import Turn
from domain.chat import Answer, ChatMessage, Citation, Role, Sentence, SentenceVerified, TurnEvent, TurnFinished
from domain.errors import QuestionInvalid
from domain.protocols import LanguageModel

MODEL = "answerdesk"
_MARK = re.compile(r"\[(\d+)\]")


class TextPart(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: Literal["text"]
    text: Text


class CompletionMessage(BaseModel):
    model_config = ConfigDict(frozen=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class CompletionRequest(BaseModel):
    model_config = ConfigDict(frozen=True)

    model: Annotated[Text, Field(max_length=100)] = MODEL
    messages: Annotated[list[CompletionMessage], Field(min_length=1, max_length=500)]
    stream: bool = False
    n: Literal[1] | None = None
    answerdesk: SearchFilters = SearchFilters()

    def to_turn(self) -> Turn:
        """The last user message is the question, what was said before it the history.

        Raises:
            QuestionInvalid: nobody asks anything.
            ModelUnknown: the model is not ours.
        """
        asked = [i for i, message in enumerate(self.messages) if message.role == "user"]
        if not asked:
            raise QuestionInvalid("None of the messages is the user's.", "Send a message with the role user.")
        history = tuple(
            ChatMessage(Role(message.role), message.text)
            for message in self.messages[: asked[-1]]
            if message.role in ("user", "assistant") and message.text
        )
        collection = self.answerdesk.collection or collection_of(self.model)
        return Turn(self.messages[asked[-1]].text, history, collection)


def collection_of(model: str) -> str | None:
    """``answerdesk`` is the whole knowledge base, ``answerdesk:shop`` its collection shop."""
    name, _, collection = model.partition(":")
    if name != MODEL:
        raise ModelUnknown(f"There is no model {model!r} here.", f"Use {MODEL}, or {MODEL}:COLLECTION; see /v1/models.")
    return collection or None


def model_list(collections: Sequence[str], created: int) -> dict[str, Any]:
    names = [MODEL, *(f"{MODEL}:{collection}" for collection in collections)]
    rows = [{"id": name, "object": "model", "created": created, "owned_by": MODEL} for name in names]
    return {"object": "list", "data": rows}


def completion(answer: Answer, model: str, language_model: LanguageModel | None, question: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text, "refusal": None, **_proof(answer)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        "id": f"chatcmpl-{answer.answer_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage(question, answer, language_model),
        "answerdesk": AnswerView.from_domain(answer).model_dump(mode="json"),
    }


def usage(question: str, answer: Answer, language_model: LanguageModel | None) -> dict[str, int]:
    """Tokens of the question and of the answer as the customer sees them; zeros when no GPT-2 is loaded.

    Not what was computed: a curated answer computes no token, a refused one may have computed many.
    """
    count = language_model.count_tokens if language_model is not None else lambda _: 0
    prompt_tokens, completion_tokens = count(question), count(answer.text)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


@dataclass(slots=True)
class ChunkWriter:
    """Turns a turn's events into the chunks of one streamed completion; their contents together are the answer's text.

    Every content is a whole verified sentence with its marks. ``count_usage`` gives the last chunk its ``usage``.
    """

    completion_id: str
    model: str
    created: int
    count_usage: Callable[[Answer], Mapping[str, int]]
    _sent: str = ""
    _is_open: bool = False

    def chunks(self, event: TurnEvent) -> Iterator[dict[str, Any]]:
        if not self._is_open:
            self._is_open = True
            yield self._chunk({"role": "assistant", "content": ""})
        if isinstance(event, SentenceVerified):
            yield self._content((" " if self._sent else "") + _with_marks(event.sentence))
        elif isinstance(event, TurnFinished):
            yield from self._closing(event.answer)

    def _closing(self, answer: Answer) -> Iterator[dict[str, Any]]:
        # What was not streamed as sentences: the whole of a refusal, or which question was left unanswered.
        if answer.text.startswith(self._sent) and len(answer.text) > len(self._sent):
            yield self._content(answer.text[len(self._sent) :])
        view = AnswerView.from_domain(answer).model_dump(mode="json")
        last = self._chunk(_proof(answer), finish_reason="stop")
        yield {**last, "usage": dict(self.count_usage(answer)), "answerdesk": view}

    def _content(self, text: str) -> dict[str, Any]:
        self._sent += text
        return self._chunk({"content": text})

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return {
            "id": self.completion_id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "delta": dict(delta), "finish_reason": finish_reason, "logprobs": None}],
        }


def _with_marks(sentence: Sentence) -> str:
    return " ".join([sentence.text, *(f"[{n}]" for n in sentence.citations)])


def _proof(answer: Answer) -> dict[str, Any]:
    return {
        "annotations": _annotations(answer),
        "citations": [CitationView.from_domain(citation).model_dump(mode="json") for citation in answer.citations],
    }


def _annotations(answer: Answer) -> list[dict[str, Any]]:
    """One for every mark in the text, in OpenAI's shape; the address is ours and opens with the same key."""
    by_number = {citation.n: citation for citation in answer.citations}
    return [
        _annotation(by_number[int(mark[1])], mark.start(), mark.end())
        for mark in _MARK.finditer(answer.text)
        if int(mark[1]) in by_number
    ]


def _annotation(citation: Citation, start: int, end: int) -> dict[str, Any]:
    url = f"/v1/documents/{citation.document_id}/text?version={citation.version}"
    details = {"start_index": start, "end_index": end, "title": citation.title or citation.source, "url": url}
    return {"type": "url_citation", "url_citation": details}
