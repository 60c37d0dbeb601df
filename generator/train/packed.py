"""Packed rows of tokens on disk, and the plan that says which rows make up which batch.

The plan is a pure function of the data and a seed, so a resumed run needs to know only how many steps it has done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Packed:
    """``tokens`` uint16 (n_tokens,); row i is ``tokens[starts[i]:starts[i+1]]``; ``answers`` int32 (n_rows,)."""

    tokens: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], answers: Sequence[int]) -> Packed:
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        flat = np.fromiter((token for row in rows for token in row), np.uint16, int(lengths.sum()))
        return cls(flat, np.concatenate([[0], np.cumsum(lengths)]), np.asarray(answers, np.int32))

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.starts)

    def row(self, i: int) -> npt.NDArray[np.uint16]:
        return self.tokens[self.starts[i] : self.starts[i + 1]]

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.tokens.tobytes())
        digest.update(self.starts.tobytes())
        digest.update(self.answers.tobytes())
        return digest.hexdigest()


def save_packed(path: Path, packed: Packed) -> None:
    np.savez(path, tokens=packed.tokens, starts=packed.starts, answers=packed.answers)


def load_packed(path: Path) -> Packed:
    with np.load(path) as stored:
        return Packed(stored["tokens"], stored["starts"], stored["answers"])


def make_copy_rows(prose: Packed, n_rows: int, vocabulary: int, seed: int) -> Packed:
    """Pieces of text (or of noise) and then the same pieces in another order: the cheapest lesson in copying."""
    rng = np.random.default_rng(seed)
    rows: list[list[int]] = []
    for i in range(n_rows):
        pieces: list[list[int]] = []
        while sum(map(len, pieces)) < 60:
            size = int(rng.integers(4, 28))
            at = int(rng.integers(0, len(prose.tokens) - size))
            noise = rng.integers(1, vocabulary, size)
            pieces.append((noise if i % 4 == 0 else prose.tokens[at : at + size]).tolist())
        again = [pieces[int(j)] for j in rng.permutation(len(pieces))]
        rows.append([token for piece in pieces + again for token in piece][:192])
    return Packed.of(rows, [0] * n_rows)


@dataclass(frozen=True)
class Batch:
    """``tokens`` int64 (rows, length), padded at the end; ``targets`` the same shape, -100 where no loss is taken.

    ``targets[i, t]`` is the token that should follow ``tokens[i, t]``; ``is_choice`` marks the first of each answer,
    the one that decides what to copy or to decline.
    """

    tokens: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    is_choice: npt.NDArray[np.bool_]


def batch_plan(packed: Packed, lengths: Sequence[int], tokens: int, seed: int) -> Iterator[tuple[int, list[int]]]:
    """Endless (length, row numbers) pairs, each of ``tokens // length`` rows that fit into ``length``.

    Few different shapes keep a compiled model compiled, and rows of similar length waste little padding.
    """
    rng = np.random.default_rng(seed)
    row_lengths = packed.lengths
    waiting: dict[int, list[int]] = {length: [] for length in lengths}
    while True:
        order = rng.permutation(len(packed))
        for i in order.tolist():
            length = next((n for n in lengths if row_lengths[i] <= n), lengths[-1])
            waiting[length].append(i)
            if len(waiting[length]) >= max(1, tokens // length):
                yield length, waiting[length]
                waiting[length] = []


def make_batch(packed: Packed, rows: Sequence[int], length: int, pad: int, answers_only: bool) -> Batch:
    """Rows side by side; with ``answers_only`` the loss is taken on the answer and its end-of-text alone."""
    tokens = np.full((len(rows), length), pad, np.int64)
    targets = np.full((len(rows), length), -100, np.int64)
    is_choice = np.zeros((len(rows), length), np.bool_)
    for at, i in enumerate(rows):
        row = packed.row(i)[:length].astype(np.int64)
        first = max(int(packed.answers[i]), 1) if answers_only else 1
        tokens[at, : len(row)] = row
        targets[at, first - 1 : len(row) - 1] = row[first:]
        is_choice[at, first - 1] = answers_only
    return Batch(tokens, targets, is_choice)
