"""Files that survive a power cut and that only their owner can read."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_private_folder(path: Path) -> None:
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def sync(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hold(path: Path, descriptor: int) -> bool:
    """Lock what was just created until ``descriptor`` is closed; False if a sweep took it away before that.

    The system drops the lock when its holder dies, however it dies.
    """
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return path.exists()


def remove_abandoned(path: Path) -> bool:
    """Delete a file or folder that no living process holds; returns whether it was deleted."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
