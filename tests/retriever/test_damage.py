"""A thousand ways to damage an index on disk, drawn by a seeded generator: none is answered from."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.artifacts import MANIFEST
from tests.retriever.knowledge import Entry, KnowledgeBase

LAMPS = "Every lamp has a warranty of five years."
MUTATIONS = 1000

# A mutation damages the folder; the second folder is the one of the generation before.
Mutation = Callable[[random.Random, Path, Path], None]


def _a_file(rng: random.Random, folder: Path) -> Path:
    return rng.choice(sorted(folder.iterdir()))


def flip_a_bit(rng: random.Random, folder: Path, _: Path) -> None:
    path = _a_file(rng, folder)
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def truncate(rng: random.Random, folder: Path, _: Path) -> None:
    path = _a_file(rng, folder)
    os.truncate(path, rng.randrange(path.stat().st_size))


def fill_with_zeros(rng: random.Random, folder: Path, _: Path) -> None:
    """As a file system does that kept the length of a file and lost its blocks."""
    path = rng.choice([path for path in sorted(folder.iterdir()) if path.read_bytes().strip(b"\0")])
    content = path.read_bytes()
    start = rng.randrange(max(1, len(content.rstrip(b"\0"))))
    path.write_bytes(content[:start] + b"\0" * (len(content) - start))


def append(rng: random.Random, folder: Path, _: Path) -> None:
    with _a_file(rng, folder).open("ab") as file:
        file.write(rng.randbytes(rng.randrange(1, 64)))


def remove(rng: random.Random, folder: Path, _: Path) -> None:
    _a_file(rng, folder).unlink()


def add_a_file(rng: random.Random, folder: Path, _: Path) -> None:
    (folder / f"extra{rng.randrange(9)}.npy").write_bytes(rng.randbytes(16))


def swap_two_files(rng: random.Random, folder: Path, _: Path) -> None:
    one = _a_file(rng, folder)
    content = one.read_bytes()
    other = rng.choice([path for path in sorted(folder.iterdir()) if path.read_bytes() != content])
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def take_a_file_of_the_other_generation(rng: random.Random, folder: Path, other: Path) -> None:
    names = [p.name for p in sorted(folder.iterdir()) if p.read_bytes() != (other / p.name).read_bytes()]
    name = rng.choice(names)
    shutil.copy(other / name, folder / name)


def take_the_whole_other_generation(rng: random.Random, folder: Path, other: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def edit_the_manifest(rng: random.Random, folder: Path, _: Path) -> None:
    """As somebody would who swaps a file and writes its hash into the manifest."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    name = rng.choice(sorted(manifest["files"]))
    edits: list[Callable[[], object]] = [
        lambda: manifest["files"].pop(name),
        lambda: manifest["files"][name].update(sha256="0" * 64),
        lambda: manifest["facts"].update(passages=1),
        lambda: manifest["facts"].update(embedder=None),
        lambda: manifest.update(schema_version=2),
        lambda: manifest["facts"]["vector_fields"][0].update(dimension=7),
    ]
    rng.choice(edits)()
    path.write_text(json.dumps(manifest), encoding="utf-8")


def link_elsewhere(rng: random.Random, folder: Path, other: Path) -> None:
    path = _a_file(rng, folder)
    path.unlink()
    path.symlink_to(other / path.name)


def put_something_else_there(rng: random.Random, folder: Path, _: Path) -> None:
    path = _a_file(rng, folder)
    path.unlink()
    if rng.random() < 0.5:
        path.mkdir()
    else:
        os.mkfifo(path)  # reading it would wait for ever


KINDS: tuple[Mutation, ...] = (
    flip_a_bit,
    truncate,
    fill_with_zeros,
    append,
    remove,
    add_a_file,
    swap_two_files,
    take_a_file_of_the_other_generation,
    take_the_whole_other_generation,
    edit_the_manifest,
    link_elsewhere,
    put_something_else_there,
)


@pytest.fixture
def damaged(kb: KnowledgeBase) -> KnowledgeBase:
    kb.add("faq.csv", Entry("Five years.", "How long is the warranty?"), Entry("By post.", "How do parcels come?"))
    kb.add("warranty.md", LAMPS, "Return it within thirty days.", collection="lamps")
    kb.reindexer.run()
    kb.add("gifts.md", "Gift cards expire after two years.")
    kb.reindexer.run()
    return kb


@pytest.mark.parametrize("seed", range(10))
def test_no_damage_is_silently_served(damaged: KnowledgeBase, seed: int, tmp_path: Path) -> None:
    live, previous = damaged.generations.live(), damaged.generations.previous()
    assert live is not None
    assert previous is not None
    folder, other = (damaged.artifact_folder / record.generation_id for record in (live, previous))
    intact = tmp_path / "intact"
    shutil.copytree(folder, intact)
    rng = random.Random(seed)
    tried: Counter[str] = Counter()
    for _ in range(MUTATIONS // 10):
        mutate = rng.choice(KINDS)
        mutate(rng, folder, other)
        tried[mutate.__name__] += 1
        asked_for: list[str] = []
        retriever = damaged.new_retriever(on_degraded=lambda asked=asked_for: asked.append("rebuild"))  # type: ignore[misc]  # bound in the loop
        result = retriever.search("when do gift cards expire", 5)
        assert result.generation == previous.generation_id, mutate.__name__
        assert result.passages[0].passage.text == "Gift cards expire after two years."
        assert live.generation_id in str(retriever.info()["degraded"])
        assert (retriever.needs_reindex(), asked_for) == (True, ["rebuild"])
        shutil.rmtree(folder)
        shutil.copytree(intact, folder)
    assert len(tried) == len(KINDS)
    healthy = damaged.new_retriever()
    assert healthy.search("gift cards", 1).generation == live.generation_id
    assert healthy.info()["degraded"] is None
