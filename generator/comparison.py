"""A sentence beside the evidence it is laid over, as every rule of the proof wants to see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from generator.alignment import Alignment
from generator.operators import Kind
from generator.terms import Term

NAMING = (Kind.CONTENT, Kind.FACT)
_ITEM_TERMS = 3


class Comparison:
    """One alignment and what was found on it.

    Attributes:
        weighty: the aligned pairs (place in ``said``, place in ``shown``) of words that name something.
        order: the places in ``shown`` of all that is named, light words and persons included, as the sentence has them.
        used: the segments of the evidence that any of them stands in; ``context`` has their heads as well.
        found: how often each kind of difference was found.
    """

    def __init__(self, alignment: Alignment) -> None:
        self.said, self.shown, self.places = alignment.said, alignment.shown, alignment.places
        self.of_shown = {j: i for i, j in enumerate(self.places) if j is not None}
        self.weighty = [(i, j) for i, j in enumerate(self.places) if j is not None and is_weighty(self.said[i])]
        named = (*NAMING, Kind.PERSON)
        self.order = [j for i, j in enumerate(self.places) if j is not None and self.said[i].kind in named]
        self.used = {self.shown[j].segment for _, j in self.weighty}
        self.context = self.used | {head for segment in self.used for head in self._heads(segment)}
        self.used_shown = [term for term in self.shown if term.segment in self.used]
        self.found: Counter[str] = Counter()

    def _heads(self, segment: int) -> Iterator[int]:
        """The stretches that a list item hangs on: ``not cheques or cash`` denies the cash as well."""
        while segment > 0:
            own = [term for term in self.shown if term.segment == segment]
            is_item = len(own) <= _ITEM_TERMS and not any(
                term.kind in (Kind.PERSON, Kind.MODAL, Kind.CONDITION) for term in own
            )
            if not (is_item or (own and own[0].is_linked)):
                return
            segment -= 1
            yield segment


def is_weighty(term: Term) -> bool:
    """True for what names something; light nouns such as ``option`` and ``service`` do not."""
    return term.kind in NAMING and not term.is_light
