"""Checkpoints that are either whole or absent: written beside, manifest last, renamed into place."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from domain.errors import StorageFull

_MANIFEST = "manifest.json"
_STATE = "state.pt"
_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_OS_ERROR = re.compile(r"os error (\d+)")


@contextmanager
def room_on_disk(where: Path) -> Iterator[None]:
    """Wraps the writes of a training run. (``storage.failures`` does this for the product, but brings the database.)

    Raises:
        StorageFull: the disk is full, or a quota or a limit is reached.
    """
    try:
        yield
    except Exception as error:
        # safetensors and tokenizers tell of it in the text of errors of their own: "... (os error 28)".
        told = _OS_ERROR.search(str(error))
        number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
        if number not in _NO_SPACE:
            raise
        raise StorageFull(
            f"The disk has no room for the training run in {where}: {os.strerror(number)}.",
            "Free space or raise the quota and give the command again: it goes on from the last checkpoint.",
        ) from error


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], keep: int = 2) -> Path:
    """Write ``folder/step-NNNNNN`` and drop all but the newest ``keep``; a kill at any moment loses only this one.

    Raises:
        StorageFull: what was there before is intact, and the unfinished one is removed.
    """
    final = folder / f"step-{step:06d}"
    partial = folder / f"partial-{step:06d}"
    # Serialised in memory first: torch reports a full disk as a RuntimeError without its reason.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    try:
        with room_on_disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            _write(partial / _STATE, content)
            manifest = {"step": step, "sha256": hashlib.sha256(content).hexdigest()}
            _write(partial / _MANIFEST, json.dumps(manifest).encode())
            _drop(final)
            partial.rename(final)
    except StorageFull:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    # One of a later step may lie there from before, when the run is another one.
    for old in sorted(set(folder.glob("step-*")) - {final}, reverse=True)[keep - 1 :]:
        _drop(old)
    return final


def _drop(folder: Path) -> None:
    """Remove a checkpoint; at no moment does half of it stand under its name."""
    doomed = folder.with_name(f"partial-{folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)  # where a kill came between, its rest is still there
    if folder.exists():
        folder.rename(doomed)
        shutil.rmtree(doomed)


def load_newest_checkpoint(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """(step, state) of the newest checkpoint whose hash is right; None when there is none."""
    for candidate in sorted(folder.glob("step-*"), reverse=True):
        try:
            manifest = json.loads((candidate / _MANIFEST).read_text(encoding="utf-8"))
            step, is_whole = int(manifest["step"]), _digest(candidate / _STATE) == manifest["sha256"]
        except (FileNotFoundError, ValueError, KeyError):  # a kill came between
            continue
        if is_whole:
            return step, torch.load(candidate / _STATE, map_location="cpu", weights_only=True)
    return None


def _write(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()
