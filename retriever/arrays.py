"""Numpy arrays as files, without pickle."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The kernel maps the pages around the one that is asked for; this much of them may stay mapped in this process.
_AROUND_BYTES = 64 * 1024
_RESIDENT_BYTES = 256 * 1024**2


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Through memory: numpy's own writing reports a full disk without its error code."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    path.write_bytes(buffer.getbuffer())


def load_array(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def save_rows(path: Path, blocks: Iterable[NDArray[Any]], shape: tuple[int, int]) -> None:
    """A .npy file of 16-bit floats, written block by block; the blocks' rows add up to ``shape[0]``."""
    with path.open("wb") as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype="<f2").data)


class RowFile:
    """The rows of such a file, read by number. What was read stays with the kernel, not with this process: a file of
    gigabytes costs at most about 256 MB of resident memory, whatever is searched. Safe to use from several threads.
    """

    def __init__(self, path: Path) -> None:
        """The caller has verified the file's hash, and does not change the file afterwards."""
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            self._view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._rows: NDArray[np.float16] = np.ndarray(shape, dtype, buffer=self._view, offset=file.tell())
        self._touched = 0

    @property
    def shape(self) -> tuple[int, int]:
        rows, dimension = self._rows.shape
        return rows, dimension

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """(rows, dimension) float32."""
        taken = self._rows[rows].astype(np.float32)
        self._touched += len(taken) * _AROUND_BYTES  # threads may lose a count; the bound is no promise to the byte
        if self._touched > _RESIDENT_BYTES and hasattr(self._view, "madvise"):
            self._touched = 0
            self._view.madvise(mmap.MADV_DONTNEED)
        return taken
