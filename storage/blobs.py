"""Uploaded bytes by their SHA-256: written beside the store, moved into it whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from domain.ids import new_id
from storage.failures import disk_failures
from storage.files import PRIVATE_FILE, hold, make_private_folder, remove_abandoned, sync

HEAD_BYTES = 64 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


class StagedBlob:
    """Bytes on their way in. ``head`` keeps the first 64 KiB, enough to tell the type of a file."""

    def __init__(self, store: BlobStore, part: Path, handle: IO[bytes]) -> None:
        self._store = store
        self._part = part
        self._handle = handle
        self._digest = hashlib.sha256()
        self._head = b""
        self._size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        return self._size

    @property
    def head(self) -> bytes:
        return self._head

    def write(self, data: bytes) -> None:
        """
        Raises:
            StorageFull
        """
        with disk_failures():
            self._handle.write(data)
        self._digest.update(data)
        self._size += len(data)
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + data)[:HEAD_BYTES]

    def commit(self) -> str:
        """Make the bytes durable under their hash, which it returns. The same bytes again are the same blob.

        Raises:
            StorageFull
        """
        final = self._store.path(self.sha256)
        with disk_failures():
            self._handle.flush()
            os.fsync(self._handle.fileno())
            make_private_folder(final.parent)
            self._part.replace(final)
            sync(final.parent)
            sync(final.parent.parent)
        return self.sha256


class BlobStore:
    """``root/ab/abcdef...``; nothing of an upload's name reaches the file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def stage(self) -> Iterator[StagedBlob]:
        """Write, then ``commit()``; leaving the block without it, for whatever reason, leaves nothing.

        The part file is locked while it is open, so that a sweep tells it from what a killed process left.
        """
        with disk_failures():
            make_private_folder(self._root)
            part, descriptor = self._create_part()
        try:
            # Closing writes what is still buffered, and finds the disk full once more.
            with disk_failures(), os.fdopen(descriptor, "wb") as handle:
                yield StagedBlob(self, part, handle)
        finally:
            part.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("A blob is named by 64 lower-case hexadecimal digits.")
        return self._root / sha256[:2] / sha256

    def delete(self, sha256: str) -> None:
        """A missing blob is fine."""
        self.path(sha256).unlink(missing_ok=True)

    def list_older(self, seconds: float) -> list[str]:
        """Blobs that were last written more than ``seconds`` ago."""
        before = time.time() - seconds
        found = []
        for path in self._root.glob("??/*"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if _SHA256.fullmatch(path.name) and path.stat().st_mtime < before:
                    found.append(path.name)
        return found

    def sweep(self) -> int:
        """Remove parts that killed processes left; returns how many. Uploads in progress are not touched."""
        return sum(remove_abandoned(part) for part in self._root.glob("*.part"))

    def _create_part(self) -> tuple[Path, int]:
        while True:
            part = self._root / f"{new_id()}.part"
            descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE)
            if hold(part, descriptor):
                return part, descriptor
            os.close(descriptor)
