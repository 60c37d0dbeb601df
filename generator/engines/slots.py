"""Which cache slot holds what: a slot that is given back keeps its text, so that a prompt that extends it is cheap."""

from __future__ import annotations

from collections.abc import Sequence

_WORTH_KEEPING = 16  # tokens in common; every prompt begins with the same word or two


class Slots:
    """The slots of one cache and the tokens whose keys and values they hold, from column 0 on."""

    def __init__(self, count: int, prefer_low: bool = False) -> None:
        self._held: list[tuple[int, ...]] = [()] * count
        self._free = set(range(count))
        self._given_back = [0] * count  # when; larger is later
        self._clock = 0
        self._prefer_low = prefer_low

    @property
    def any_free(self) -> bool:
        return bool(self._free)

    def take(self, tokens: Sequence[int]) -> tuple[int, int]:
        """A free slot for these tokens and how many of them it already holds.

        Else than the one with the longest common beginning it is one beside those in use, which keeps a batch dense,
        or the one that was given back longest ago.
        """
        common = {slot: _common_length(self._held[slot], tokens) for slot in self._free}
        slot = max(self._free, key=lambda free: (common[free], self._preference(free)))
        if common[slot] < _WORTH_KEEPING:
            slot = max(self._free, key=self._preference)
        self._free.remove(slot)
        return slot, common[slot]

    def give_back(self, slot: int, held: Sequence[int]) -> None:
        self._clock += 1
        self._held[slot] = tuple(held)
        self._given_back[slot] = self._clock
        self._free.add(slot)

    def _preference(self, slot: int) -> tuple[int, int]:
        busy = set(range(len(self._held))) - self._free
        if self._prefer_low:
            return -slot, 0
        return -min((abs(slot - other) for other in busy), default=0), -self._given_back[slot]


def _common_length(one: Sequence[int], other: Sequence[int]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
