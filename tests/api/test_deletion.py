from __future__ import annotations

import os

from api.deletion import sweep
from tests.api.conftest import RETURNS, Desk


def _commit(desk: Desk, data: bytes) -> str:
    with desk.services.blobs.stage() as blob:
        blob.write(data)
        return blob.commit()


def test_sweep_removes_old_bytes_whose_document_was_never_entered(desk: Desk) -> None:
    entered = desk.upload(("returns.md", RETURNS)).json()["documents"][0]["document"]["sha256"]
    lost, just_arrived = _commit(desk, b"lost"), _commit(desk, b"just arrived")
    blobs = desk.services.blobs
    for sha256 in (entered, lost):
        os.utime(blobs.path(sha256), (0, 0))
    sweep(desk.services)
    assert [blobs.path(sha256).exists() for sha256 in (entered, lost, just_arrived)] == [True, False, True]
