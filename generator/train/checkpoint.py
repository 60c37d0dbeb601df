"""Checkpoints that are either whole or absent: written beside, manifest last, renamed into place."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch

_MANIFEST = "manifest.json"
_STATE = "state.pt"


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], keep: int = 2) -> Path:
    """Write ``folder/step-NNNNNN`` and drop all but the newest ``keep``; a kill at any moment loses only this one."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{step:06d}"
    partial = folder / f"partial-{step:06d}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    torch.save(state, partial / _STATE)
    manifest = {"step": step, "sha256": _digest(partial / _STATE)}
    (partial / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
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


def _digest(path: Path) -> str:
    with path.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()
