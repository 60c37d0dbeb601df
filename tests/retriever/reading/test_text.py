from __future__ import annotations

import pytest

from domain.text import sentence_spans
from retriever.embedder import bundled_model_path
from retriever.reading.text import ReaderTokenizer

TEXT = "Tyres are not covered. The frame is, for ten years.\n\nClaims\n\nSend us photographs."


@pytest.fixture(scope="module")
def tokenizer() -> ReaderTokenizer:
    return ReaderTokenizer(bundled_model_path() / "tokenizer.json")


def test_each_token_belongs_to_its_sentence_and_those_of_lead_and_headings_to_none(tokenizer: ReaderTokenizer) -> None:
    spans = [span for span in sentence_spans(TEXT) if span.of(TEXT) != "Claims"]
    pair = tokenizer.pair(tokenizer.question("tyres?"), "Warranty", TEXT, spans)
    assert len(pair.owners) == len(pair.passage)
    assert [pair.owners.count(n) for n in range(3)] == [5, 8, 4]
    assert pair.owners[0] == pair.owners[1] == pair.owners[-1] == -1  # [CLS], the lead, [SEP]
    assert pair.sentences == 3


def test_sentence_beyond_the_longest_passage_has_no_token(tokenizer: ReaderTokenizer) -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(200))
    pair = tokenizer.pair([1, 2], "", text, sentence_spans(text))
    assert len(pair.passage) < 512
    assert max(pair.owners) < pair.sentences - 1


def test_context_stands_behind_the_question_and_both_are_cut(tokenizer: ReaderTokenizer) -> None:
    alone, together = tokenizer.question("tyres?"), tokenizer.question("tyres?", "is the frame covered")
    assert together[: len(alone)] == alone
    assert len(together) > len(alone)
    assert len(tokenizer.question("tyre " * 500, "frame " * 500)) < 200
