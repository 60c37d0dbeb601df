from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retriever import arrays
from retriever.arrays import RowFile, load_array, save_rows

ROWS = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_rows(tmp_path / "rows.npy", iter([ROWS[:20], ROWS[20:21], ROWS[21:]]), (50, 6))
    return tmp_path / "rows.npy"


def test_rows_written_in_blocks_are_an_ordinary_array_file(path: Path) -> None:
    np.testing.assert_array_equal(load_array(path), ROWS.astype(np.float16))


def test_rows_are_read_by_number_in_any_order_and_by_range(path: Path) -> None:
    rows = RowFile(path)
    assert rows.shape == (50, 6)
    np.testing.assert_allclose(rows[np.array([49, 0, 7, 7])], ROWS[[49, 0, 7, 7]], atol=1e-3)
    np.testing.assert_allclose(rows[10:12], ROWS[10:12], atol=1e-3)
    assert rows[np.array([3])].dtype == np.float32


def test_rows_stay_readable_when_the_pages_were_given_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_RESIDENT_BYTES", 0)
    rows = RowFile(path)
    for _ in range(3):
        np.testing.assert_allclose(rows[np.arange(50)], ROWS, atol=1e-3)


def test_file_without_rows_can_be_read(tmp_path: Path) -> None:
    save_rows(tmp_path / "none.npy", iter([]), (0, 6))
    assert RowFile(tmp_path / "none.npy")[np.empty(0, dtype=np.int64)].shape == (0, 6)
