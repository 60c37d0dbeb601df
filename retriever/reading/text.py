"""Question and passage as the reader's tokens, the same in training and in service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from domain.text import Span
from retriever.reading.network import ReadPair

_QUESTION_TOKENS = 64
_CONTEXT_TOKENS = 64
_PASSAGE_TOKENS = 448


class ReaderTokenizer:
    """
    Args:
        file: MiniLM's ``tokenizer.json``.
    """

    def __init__(self, file: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        vocabulary = self._tokenizer.get_vocab()
        self._start, self._end = vocabulary["[CLS]"], vocabulary["[SEP]"]

    def question(self, question: str, context: str = "") -> list[int]:
        """The question, and what was said before it; the end of either that is too long is left out."""
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:_QUESTION_TOKENS]
        before = self._tokenizer.encode(context, add_special_tokens=False).ids[:_CONTEXT_TOKENS]
        return [self._start, *asked, self._end, *before, *([self._end] if before else [])]

    def pair(self, question: Sequence[int], lead: str, text: str, sentences: Sequence[Span]) -> ReadPair:
        """``sentences`` are spans of ``text``; one that lies beyond what is read has no token."""
        lead_text = f"{lead}\n" if lead else ""
        encoding = self._tokenizer.encode(lead_text + text, add_special_tokens=False)
        places = np.array([start for start, _ in encoding.offsets[:_PASSAGE_TOKENS]]) - len(lead_text)
        bounds = np.array([(span.start, span.end) for span in sentences]).reshape(-1, 2)
        begun = np.searchsorted(bounds[:, 0], places, side="right") - 1  # the last sentence that has begun, or -1
        owners = np.where((begun >= 0) & (places < bounds[begun, 1]), begun, -1) if len(bounds) else begun
        passage = [self._start, *encoding.ids[:_PASSAGE_TOKENS], self._end]
        return ReadPair(question, passage, [-1, *owners.tolist(), -1], len(sentences))
