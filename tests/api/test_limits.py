from __future__ import annotations

import pytest

from api.errors import ServerBusy
from api.limits import AnswerSlots


def test_slot_is_given_back_even_after_a_failure() -> None:
    slots = AnswerSlots(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), slots.take():
            raise ValueError("broken")


def test_nobody_waits_for_a_slot() -> None:
    slots = AnswerSlots(2)
    with slots.take(), slots.take(), pytest.raises(ServerBusy, match="2 answers"), slots.take():
        pass
