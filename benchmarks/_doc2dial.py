"""Doc2Dial's dmv and studentaid dialogues as golden queries: its documents as files, its gold spans as offsets.

A turn counts when people marked gold spans for what the agent said next, whether that was an answer or a question back:
then the marked text is what a good reply rests on. Every turn of the file is of that kind.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from domain.chat import ChatMessage, Role
from domain.text import Span
from generator.dataset import is_held_out
from generator.evaluation import GoldenQuery, GoldEvidence
from generator.train.sources import read_rows
from retriever.metrics import normalise_evidence

COLLECTION = "doc2dial"
_SEED = 3
_ROLES = {"customer": Role.USER, "agent": Role.ASSISTANT}
Kind = Literal["opening", "follow_up"]
Side = Literal["held_out", "fit"]


@dataclass(frozen=True, slots=True)
class Turn:
    """``gold`` are spans of the document's original text. ``is_reply``: the agent had asked the customer something."""

    query: GoldenQuery
    document: str
    gold: tuple[Span, ...]
    is_reply: bool

    @property
    def kind(self) -> Kind:
        return "follow_up" if self.query.history else "opening"


def read_documents(data: Path) -> dict[str, str]:
    """Original text by document id."""
    return {row["doc_id"]: row["text"] for row in read_rows(data / "grounded_qa/doc2dial_docs.jsonl.zst")}


def read_turns(data: Path, side: Side) -> list[Turn]:
    """The turns on the documents that are held out of all fitting, or on the others."""
    rows = read_rows(data / "grounded_qa/doc2dial_turns.jsonl.zst")
    return [_turn(row) for row in rows if row["answer_starts"] and is_held_out(row["doc_id"]) == (side == "held_out")]


def sample(turns: Sequence[Turn], limit: int | None) -> list[Turn]:
    """At most ``limit`` turns, opening and later ones in their share, in the file's order.

    The draw is fixed and nested: a smaller sample is part of a larger one.
    """
    if limit is None or limit >= len(turns):
        return list(turns)
    openings = [turn for turn in turns if turn.kind == "opening"]
    later = [turn for turn in turns if turn.kind != "opening"]
    n_openings = round(limit * len(openings) / len(turns))
    chosen: set[str] = set()
    for stratum, size in ((openings, n_openings), (later, limit - n_openings)):
        shuffled = random.Random(_SEED).sample(stratum, len(stratum))
        chosen.update(turn.query.id for turn in shuffled[:size])
    return [turn for turn in turns if turn.query.id in chosen]


def repeated_elsewhere(turns: Sequence[Turn], documents: Mapping[str, str]) -> set[str]:
    """Ids of the turns whose gold text stands word for word in another document too: not even without its own document
    would such a question be unanswerable."""
    plain = {doc_id: normalise_evidence(text) for doc_id, text in documents.items()}
    return {
        turn.query.id
        for turn in turns
        if any(
            normalise_evidence(turn.query.gold_text) in text
            for doc_id, text in plain.items()
            if doc_id != turn.document
        )
    }


def file_name(doc_id: str) -> str:
    """The document's title as a file name, as a company would upload its page."""
    return title(doc_id).replace("/", "-") + ".txt"


def title(doc_id: str) -> str:
    return re.sub(r"#\d+_\d+$", "", doc_id)


def move_spans(original: str, stored: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans of the original text as spans of what ingestion made of it: white space changed, decoration left out.

    Raises:
        ValueError: the stored text is not the original with characters left out.
    """
    places = _places(original, stored)
    moved = []
    for span in spans:
        kept = [places[i] for i in range(span.start, min(span.end, len(original))) if i in places]
        if kept:
            moved.append(Span(kept[0], kept[-1] + 1))
    return tuple(moved)


def _places(original: str, stored: str) -> Mapping[int, int]:
    """Where each character that is no white space went."""
    places: dict[int, int] = {}
    wanted = [i for i, character in enumerate(stored) if not character.isspace()]
    at = 0
    for i, character in enumerate(original):
        if at < len(wanted) and character == stored[wanted[at]]:
            places[i] = wanted[at]
            at += 1
    if at < len(wanted):
        raise ValueError(f"Character {wanted[at]} of the stored text is not in the original.")
    return places


def _turn(row: Mapping[str, Any]) -> Turn:
    source = file_name(row["doc_id"])
    history = tuple(ChatMessage(_ROLES[m["role"]], m["content"]) for m in row["history"])
    starts = zip(row["answer_starts"], row["answer_spans"], strict=True)
    query = GoldenQuery(
        id=row["id"],
        question=row["question"],
        history=history,
        collection=COLLECTION,
        evidence=tuple(GoldEvidence(source, span.strip()) for span in row["answer_spans"]),
        facts=(),
        answerable=True,
    )
    asked_back = bool(history) and history[-1].role is Role.ASSISTANT and history[-1].content.rstrip().endswith("?")
    return Turn(query, row["doc_id"], tuple(Span(start, start + len(text)) for start, text in starts), asked_back)
