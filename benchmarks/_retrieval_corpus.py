"""Passages, questions and vectors of any number, for measuring speed.

Passages are cut from the English documentation in the public data; their vectors are real. Beyond those at hand,
vectors are jittered copies: a real one plus 0.4 times the direction between two others, so that copies scatter the way
real passages differ. Every copy has a real passage's terms.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.ids import sha256_hex
from domain.protocols import Vectors
from generator.train.sources import read_rows
from retriever.ensemble import LoadableEmbedder

_OTHER_LANGUAGES = ("_zh", "_de", "_es", "_fr", "_ja")
_EMBEDDED_CHARS = 320  # of a passage, where its vector only has to be a real one: a third of the time
_JITTER = 0.4
_BLOCK = 20_000
_SHORTEST = 25  # words


def read_passages(data: Path) -> list[str]:
    """Title and 80 to 160 words, shuffled; always the same."""
    rng = random.Random(7)
    found: list[str] = []
    for path in sorted((data / "prose").glob("*.jsonl.zst")):
        if not path.name.removesuffix(".jsonl.zst").endswith(_OTHER_LANGUAGES):
            for row in read_rows(path):
                found.extend(f"{row['title']}\n{piece}" for piece in _pieces(row["text"], rng.randint(80, 160)))
    rng.shuffle(found)
    return found


def read_questions(data: Path, count: int) -> list[str]:
    """Questions that such documentation answers."""
    rows = list(read_rows(data / "faq" / "mined_docs_faq.jsonl.zst"))
    return [row["question"] for row in rows[:: max(1, len(rows) // count)]][:count]


def real_vectors(data: Path, embedder: LoadableEmbedder, count: int, work: Path) -> Vectors:
    """(count, dimension) of the beginnings of the first passages. They are kept in ``work``, by the embedder, and
    embedding goes on where the last run stopped; the embedder is loaded if there is anything left to embed."""
    cache = work / f"real-vectors-{sha256_hex(embedder.fingerprint)[:8]}.npy"
    known: NDArray[np.float16] = np.load(cache) if cache.exists() else np.zeros((0, embedder.dimension), np.float16)
    if len(known) < count:
        embedder.load()
        passages = read_passages(data)
    while len(known) < count:
        texts = [text[:_EMBEDDED_CHARS] for text in passages[len(known) : min(count, len(known) + 2000)]]
        known = np.concatenate([known, embedder.encode_documents(texts).astype(np.float16)])
        np.save(cache, known)
        print(f"embedded {len(known)} of {count}", file=sys.stderr, flush=True)
    return _unit(known[:count].astype(np.float32))


def jittered(real: Vectors, count: int) -> Iterator[Vectors]:
    """Blocks of vectors, the real ones first; always the same."""
    rng = np.random.default_rng(1)
    for start in range(0, count, _BLOCK):
        numbers = np.arange(start, min(start + _BLOCK, count))
        block = real[numbers % len(real)]
        directions = real[rng.integers(len(real), size=len(block))] - real[rng.integers(len(real), size=len(block))]
        copies = numbers >= len(real)
        block[copies] = _unit(block + _JITTER * _unit(directions))[copies]
        yield block


def exact_best(real: Vectors, count: int, queries: Vectors, k: int) -> NDArray[np.int64]:
    """(queries, k) rows with the largest products over all vectors in 32 bits."""
    scores, rows = np.zeros((len(queries), 0), np.float32), np.zeros((len(queries), 0), np.int64)
    first = 0
    for block in jittered(real, count):
        scores = np.concatenate([scores, queries @ block.T], axis=1)
        rows = np.concatenate([rows, np.tile(np.arange(first, first + len(block)), (len(queries), 1))], axis=1)
        best = np.argsort(-scores, axis=1)[:, :k]
        scores, rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)
        first += len(block)
    return rows


def _pieces(text: str, limit: int) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for line in text.split("\n"):
        words = line.split()
        while words:
            taken, words = words[: limit - size], words[limit - size :]
            held.append(" ".join(taken))
            size += len(taken)
            if size >= limit:
                yield "\n".join(held)
                held, size = [], 0
    if size >= _SHORTEST:
        yield "\n".join(held)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), dtype=np.float32)
