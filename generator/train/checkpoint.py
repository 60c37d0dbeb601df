"""Checkpoints that are either whole or absent: written beside, manifest last, renamed into place."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
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


@contextmanager
def room_on_disk(where: Path) -> Iterator[None]:
    """Wraps the writes of a training run. (``storage.failures`` does this for the product, but brings the database.)

    Raises:
        StorageFull: the disk is full, or a quota or a limit is reached.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise StorageFull(
            f"The disk has no room for the training run in {where}: {error.strerror}.",
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
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
    except StorageFull:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for old in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(old)
    return final


def load_newest_checkpoint(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """(step, state) of the newest checkpoint whose hash is right; None when there is none."""
    for candidate in sorted(folder.glob("step-*"), reverse=True):
        manifest_path = candidate / _MANIFEST
        if not manifest_path.exists():
            continue
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        if _digest(candidate / _STATE) == manifest["sha256"]:
            return int(manifest["step"]), torch.load(candidate / _STATE, map_location="cpu", weights_only=True)
    return None


def _write(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()
