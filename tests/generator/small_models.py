"""A shop's knowledge base and a tiny GPT-2, for tests that train for real in seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from domain.documents import Passage, ScoredPassage, StoredPassage
from domain.ids import sha256_hex
from domain.protocols import ProgressListener
from domain.text import sentence_spans
from generator.evidence import ScoredSentence, Snippet, choose_snippets
from generator.train.tokenizer import train_tokenizer
from generator.wording import stems

_THINGS = ("cable", "shade", "bulb", "switch", "base", "stand", "hook", "plug")
_MATTERS = ("price", "warranty", "return", "delivery", "cleaning")
VOCABULARY = 320


def stored(document: str, ordinal: int, text: str, question: str | None = None, heading: str = "") -> StoredPassage:
    passage = Passage(
        passage_id=sha256_hex(f"{document} {ordinal} {text}"),
        document_id=document,
        version=1,
        ordinal=ordinal,
        start_char=0,
        end_char=len(text),
        text=text,
        heading_path=(heading,) if heading else (),
        question=question,
    )
    return StoredPassage(passage, "shop", f"{document}.md", document.title())


def shop_passages() -> list[StoredPassage]:
    """40 FAQ entries and six documents of four sections."""
    found = []
    for i, (thing, matter) in enumerate((t, m) for t in _THINGS for m in _MATTERS):
        answer = f"The {matter} of the {thing} is settled in rule {i}. Every {thing} follows it without exception."
        found.append(stored("faq", i, answer, question=f"What about the {matter} of the {thing}?"))
    for name in ("shipping", "returns", "repairs", "gifts", "classes", "care"):
        for i, thing in enumerate(_THINGS[:4]):
            text = f"In {name} the {thing} comes in {i + 2} parts. You can pay for the {thing} by card in {name}."
            found.append(stored(name, i, text, heading=f"{name.title()} of the {thing}"))
    return found


class OverlapFinder:
    """Evidence by shared words: a small real search before the product's own choosing."""

    def __init__(self, passages: Sequence[StoredPassage], limit: int = 4) -> None:
        self._passages = [(one, stems(one.passage.search_text)) for one in passages]
        self._limit = limit
        self.asked: list[str] = []

    def __call__(self, question: str) -> Sequence[Snippet]:
        self.asked.append(question)
        wanted = stems(question)
        ranked = sorted(self._passages, key=lambda pair: -len(wanted & pair[1]))[: self._limit]
        scored = []
        for one, known in ranked:
            hit = ScoredPassage(one, len(wanted & known) / 10, None, None)
            for i, span in enumerate(sentence_spans(one.passage.text)):
                text = span.of(one.passage.text)
                scored.append(ScoredSentence(hit, i, span, text, len(wanted & stems(text)) - 2 + hit.score))
        return choose_snippets(sorted(scored, key=lambda s: -s.log_odds), 80)


def write_model(folder: Path, *, context: int = 512, seed: int = 0) -> Path:
    """A grounded GPT-2 of two layers with random weights, as ``save_pretrained`` writes it."""
    tokenizer = train_tokenizer((one.passage.search_text for one in shop_passages()), VOCABULARY)
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=context,
        n_embd=32,
        n_layer=2,
        n_head=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    GPT2LMHeadModel(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    facts = {"name": folder.name, "grounded": True, "prompt": "v1"}
    (folder / "answerdesk.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


@contextmanager
def no_progress(_label: str) -> Iterator[ProgressListener]:
    yield lambda done, total: None
