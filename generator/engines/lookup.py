"""Drafts copied from the text itself: an answer copies its passages, so what followed these words once may again.

Prompt lookup decoding (https://github.com/apoorvumang/prompt-lookup-decoding): no second model, a dictionary instead.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST, _SHORTEST = 4, 2  # words of context that have to agree, the longest first


class PromptLookup:
    """The text of one sequence so far, indexed by its n-grams."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._followed_at: dict[tuple[int, ...], int] = {}  # n-gram -> where what followed it last begins
        self.extend(tokens)

    def extend(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            # Indexed only now that something follows, or the text's end would be found as its own precedent.
            for n in range(_SHORTEST, _LONGEST + 1):
                if len(self._tokens) >= n:
                    self._followed_at[tuple(self._tokens[-n:])] = len(self._tokens)
            self._tokens.append(token)

    def draft(self, most: int) -> list[int]:
        """Up to ``most`` tokens that may come next; none when the last words never stood anywhere before."""
        for n in range(_LONGEST, _SHORTEST - 1, -1):
            at = self._followed_at.get(tuple(self._tokens[-n:])) if len(self._tokens) >= n else None
            if at is not None:
                return self._tokens[at : at + most]
        return []
