"""Takes packed data to a machine that is rented by the minute, and the model back.

    python -m generator.train.travel pack runs/data-h100 data.tar.xz      before: the data, as small as it gets
    python -m generator.train.travel unpack data.tar.xz runs/data-h100    there: the data folder again
    python -m generator.train.travel shards runs/choose/model FOLDER      there: the model in bfloat16, 15 MB a file

Only what cannot be made again travels: rows of grounded examples follow from choices, copying drills from prose.
"""

from __future__ import annotations

import logging
import lzma
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from transformers import GPT2LMHeadModel

from generator.train.choices import PackedChoices, Vocabulary
from generator.train.packed import Packed, load_packed, make_copy_rows, save_packed
from generator.train.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)
_PRESET = 2  # of xz: higher ones take minutes and save a twentieth
_SHARD = "15MB"
_COPY_ROWS, _COPY_SEED = 16_000, 0


def pack(data: Path, file: Path) -> None:
    """``data``: a folder that ``generator.train.build`` wrote."""
    with (
        TemporaryDirectory() as holder,
        lzma.open(file, "wb", preset=_PRESET) as raw,
        tarfile.open(fileobj=raw, mode="w|") as archive,
    ):
        for path in [
            *sorted((data / "tokenizer").iterdir()),
            data / "prose.npz",
            *sorted((data / "choices").iterdir()),
        ]:
            archive.add(_plain(path, Path(holder)), str(path.relative_to(data)))


def unpack(file: Path, data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    with lzma.open(file) as raw, tarfile.open(fileobj=raw, mode="r|") as archive:
        archive.extractall(data, filter="data")
    tokenizer = load_tokenizer(data / "tokenizer")
    vocabulary = Vocabulary.of(tokenizer)
    sides = {"grounded": ("grounded", "product-train"), "validation": ("validation",)}
    for name, parts in sides.items():
        files = [path for part in parts if (path := data / f"choices/{part}.npz").exists()]
        rows = list(_rows(PackedChoices.joined([PackedChoices.load(path) for path in files]), vocabulary))
        save_packed(data / f"{name}.npz", Packed.of([row for row, _ in rows], [answer for _, answer in rows]))
    prose = load_packed(data / "prose.npz")
    save_packed(data / "copy.npz", make_copy_rows(prose, _COPY_ROWS, len(tokenizer), _COPY_SEED))


def shards(model: Path, folder: Path) -> None:
    GPT2LMHeadModel.from_pretrained(str(model), dtype=torch.bfloat16).save_pretrained(folder, max_shard_size=_SHARD)


def _rows(choices: PackedChoices, vocabulary: Vocabulary) -> Iterator[tuple[list[int], int]]:
    """Prompt, answer and end-of-text, and where the answer begins."""
    for i in range(len(choices)):
        choice = choices[i]
        answer: list[int] = []
        for start, end, mark in (choice.sentences[n] for n in choice.said):
            answer += [*choice.prompt[start:end], *vocabulary.marks[mark]]
        yield [*choice.prompt, *(answer or vocabulary.marks[0]), vocabulary.end], len(choice.prompt)


def _plain(path: Path, holder: Path) -> Path:
    """Arrays are written without their own compression, over which xz finds nothing to save."""
    if path.suffix != ".npz":
        return path
    with np.load(path) as stored:
        np.savez(holder / path.name, **dict(stored))
    return holder / path.name


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    {"pack": pack, "unpack": unpack, "shards": shards}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
