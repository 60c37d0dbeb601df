"""Blobs are there whole or not at all."""

from __future__ import annotations

import hashlib
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import StorageFull
from storage.blobs import HEAD_BYTES, BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def _put(blobs: BlobStore, *pieces: bytes) -> str:
    with blobs.stage() as staged:
        for piece in pieces:
            staged.write(piece)
        return staged.commit()


def test_committed_bytes_are_found_by_their_hash(blobs: BlobStore) -> None:
    data = bytes(range(256)) * 1000
    with blobs.stage() as staged:
        for start in range(0, len(data), 10_000):
            staged.write(data[start : start + 10_000])
        sha256 = staged.commit()
    assert sha256 == staged.sha256 == hashlib.sha256(data).hexdigest()
    assert staged.size_bytes == len(data)
    assert staged.head == data[:HEAD_BYTES]
    assert blobs.path(sha256).read_bytes() == data


def test_uncommitted_bytes_leave_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    with blobs.stage() as staged:
        staged.write(b"half")
    assert _files(tmp_path) == []


def test_an_error_while_staging_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    def break_off() -> None:
        with blobs.stage() as staged:
            staged.write(b"half")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        break_off()
    assert _files(tmp_path) == []


def test_the_same_bytes_are_one_blob(blobs: BlobStore, tmp_path: Path) -> None:
    assert _put(blobs, b"same") == _put(blobs, b"sa", b"me")
    assert len(_files(tmp_path)) == 1


def test_an_empty_blob_is_a_blob(blobs: BlobStore) -> None:
    assert blobs.path(_put(blobs)).read_bytes() == b""


def test_only_the_owner_can_read(blobs: BlobStore, tmp_path: Path) -> None:
    path = blobs.path(_put(blobs, b"secret"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)} == {0o700}


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "", "ab"])
def test_only_a_hash_names_a_blob(blobs: BlobStore, name: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        blobs.path(name)


def test_deleting_a_blob_twice_is_fine(blobs: BlobStore) -> None:
    sha256 = _put(blobs, b"gone")
    blobs.delete(sha256)
    blobs.delete(sha256)
    assert not blobs.path(sha256).exists()


def test_a_sweep_removes_what_a_killed_process_left_but_not_an_upload_in_progress(
    blobs: BlobStore, tmp_path: Path
) -> None:
    script = (
        "import os, signal; from pathlib import Path; from storage.blobs import BlobStore\n"
        f"with BlobStore(Path({str(tmp_path / 'blobs')!r})).stage() as staged:\n"
        "    staged.write(b'x' * 100_000); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    with blobs.stage() as staged:
        staged.write(b"in progress")
        assert len(_files(tmp_path)) == 2
        assert blobs.sweep() == 1
        sha256 = staged.commit()
    assert blobs.path(sha256).read_bytes() == b"in progress"
    assert blobs.sweep() == 0


def test_old_blobs_are_listed_by_when_they_were_last_written(blobs: BlobStore) -> None:
    with blobs.stage() as staged:
        staged.write(b"once")
        sha256 = staged.commit()
    assert blobs.list_older(60) == []
    assert blobs.list_older(-60) == [sha256]
    with blobs.stage():
        assert blobs.list_older(-60) == [sha256]


def test_sweeping_before_the_first_upload_is_fine(blobs: BlobStore) -> None:
    assert blobs.sweep() == 0


@pytest.mark.parametrize(("size", "most"), [(100_000, 65_536), (1_000, 500)])
def test_a_full_disk_is_reported_and_leaves_nothing(size: int, most: int, tmp_path: Path) -> None:
    """In a child process whose files may not exceed ``most`` bytes; the kernel then refuses as a full disk would.

    A small blob meets the limit when its buffer is written.
    """
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from domain.errors import StorageFull; from storage.blobs import BlobStore\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))\n"
        f"try:\n    with BlobStore(Path({str(tmp_path / 'blobs')!r})).stage() as staged:\n"
        f"        staged.write(b'x' * {size}); staged.commit()\n"
        "except StorageFull:\n    sys.exit(7)"
    )
    assert issubclass(StorageFull, Exception)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 7
    assert _files(tmp_path) == []
