"""What of a passage is embedded: short windows, whose mean is the passage's vector.

A sentence embedder says of two hundred words only what they are about on the whole. The normalised mean of the vectors
of about forty words each, every one under its own heading, keeps more of what each of them says: recall@5 on Doc2Dial's
opening questions rose from 0.82 to 0.85 and the index did not grow (docs/retriever.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from domain.documents import Passage
from domain.ids import sha256_hex
from domain.protocols import Embedder, Vectors
from domain.text import count_words, sentence_spans

WINDOW_WORDS = 40

Windows = tuple[str, ...]


def search_windows(passage: Passage) -> Windows:
    """Whole sentences, at most 40 words together or one that is longer, each under its question or headings."""
    found: list[str] = []
    for part in passage.parts:
        lead = passage.question or " > ".join(part.heading_path)
        windows = _windows(passage.text[part.start : part.end])
        found.extend(f"{lead}\n{window}" if lead else window for window in windows)
    return tuple(found) or (passage.search_text,)


def question_hash(passage: Passage) -> str | None:
    """Key of the vector of a FAQ entry's question alone; None for other passages."""
    return None if passage.question is None else sha256_hex(passage.question)


def windows_by_hash(passages: Sequence[Passage]) -> Mapping[str, Windows]:
    """Everything of the passages that has a vector: under ``search_hash`` and, of FAQ entries, ``question_hash``."""
    texts = {passage.search_hash: search_windows(passage) for passage in passages}
    questions = {passage.question for passage in passages if passage.question is not None}
    return texts | {sha256_hex(question): (question,) for question in questions}


def encode_windows(embedder: Embedder, texts: Sequence[Windows]) -> Vectors:
    """(len(texts), dimension) float32: of each text the L2-normalised mean of its windows' vectors."""
    if not texts:
        return np.zeros((0, embedder.dimension), dtype=np.float32)
    vectors = embedder.encode_documents([window for windows in texts for window in windows])
    starts = np.cumsum([0, *(len(windows) for windows in texts[:-1])])
    sums = np.add.reduceat(vectors, starts, axis=0)
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _windows(text: str) -> Iterator[str]:
    spans = sentence_spans(text)
    borders = [0]
    words = 0
    for place, span in enumerate(spans):
        size = count_words(span.of(text))
        if words and words + size > WINDOW_WORDS:
            borders.append(place)
            words = 0
        words += size
    for first, after in pairwise([*borders, len(spans)]):
        if first < after:
            yield text[spans[first].start : spans[after - 1].end]
