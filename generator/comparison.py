"""A sentence beside the evidence it is laid over, as every rule of the proof wants to see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from generator.alignment import Alignment
from generator.operators import Kind
from generator.terms import Term
from generator.voice import is_turned

GIVING = "offer"  # the key of ``have``, ``provide``, ``include`` and ``available``
NAMING = (Kind.CONTENT, Kind.FACT)
_ITEM_TERMS = 3
_VERBS = frozenset(("is", "are", "was", "were", "be", "has", "have", "had", "do", "does", "for", "at", "in"))
_UNPLACED = ("free", "hotel", "restaur", "place", "site", "locat", "premis", "properti", "establish")


class Comparison:
    """One alignment and what was found on it.

    Args:
        heading: what stands over the evidence; it tells what the evidence is about and proves nothing.

    Attributes:
        weighty: the aligned pairs (place in ``said``, place in ``shown``) of words that name something.
        named: the same with the light words.
        deeds: the aligned pairs of all words that are neither facts nor operators, light ones included.
        order: the places in ``shown`` of all that is named, persons included, as the sentence has them.
        used: the segments of the evidence that any of them stands in; ``context`` has their heads as well.
        empty: the segments that name nothing, as ``Next,`` and ``If not,``.
        turned: how many verbs have turned from active to passive or back.
        found: how often each kind of difference was found.
    """

    def __init__(self, alignment: Alignment, heading: Sequence[Term] = ()) -> None:
        self.heading = heading
        self.said, self.shown, self.places = alignment.said, alignment.shown, alignment.places
        self.said_keys = frozenset(term.key for term in self.said)
        self.of_shown = {j: i for i, j in enumerate(self.places) if j is not None}
        self.weighty = [(i, j) for i, j in enumerate(self.places) if j is not None and is_weighty(self.said[i])]
        self.named = [(i, j) for i, j in enumerate(self.places) if j is not None and self.said[i].kind in NAMING]
        self.deeds = [(i, j) for i, j in enumerate(self.places) if j is not None and self.said[i].kind is Kind.CONTENT]
        self.order = [j for i, j in enumerate(self.places) if j is not None and self._is_placed(i, j)]
        self.used = {self.shown[j].segment for _, j in self.weighty}
        self.context = self.used | {head for segment in self.used for head in self._heads(segment)}
        self.empty = {term.segment for term in self.shown} - {t.segment for t in self.shown if t.kind in NAMING}
        self.used_shown = [term for term in self.shown if term.segment in self.used]
        self.found: Counter[str] = Counter()
        self.turned = 0

    def _is_placed(self, i: int, j: int) -> bool:
        """What has an order to keep: not the place one is at, and not ``free parking`` beside ``parking is free``."""
        term = self.said[i]
        if term.key == GIVING:
            return not is_turned(term, self.shown[j])
        return term.kind is Kind.PERSON or (term.kind in NAMING and term.key not in _UNPLACED)

    @property
    def opens_with_name(self) -> bool:
        """True where the evidence begins with a name that the sentence leaves out, as in ``Eraina offers parking``."""
        first = next((j for j, term in enumerate(self.shown) if is_weighty(term)), None)
        return first is not None and first not in self.of_shown and self.shown[first].raw[:1].isupper()

    def is_listed(self, segment: int, home: int) -> bool:
        """``Lamps, chairs and tables are free``: what is said of the last in the list is said of those before it.

        Each item up to ``home`` has to be bare names, and the item of ``segment`` to be said whole.
        """
        items = [[j for j, term in enumerate(self.shown) if term.segment == n] for n in range(segment, home)]
        last = [term for term in self.shown if term.segment == home]
        bare = all(0 < len(item) <= _ITEM_TERMS and all(self._is_bare(j, item[0]) for j in item) for item in items)
        is_and = any(term.joint in ("and", "or", "as well as") for term in last[:1])
        return bare and is_and and segment < home and all(j in self.of_shown for j in items[0])

    def is_carried_on(self, first: int, last: int) -> bool:
        """True where every stretch up to ``last`` goes on by ``and`` or ``or``."""
        return all(term.is_linked for term in self.shown if first < term.segment <= last)

    def shares_subject(self, facts: Sequence[int], other: int) -> bool:
        """``The Plus plan has 40 GB and costs €25``: the ``facts`` only name what the stretch ``other`` is said of."""
        first = self.shown[facts[0]].segment
        opening = [j for j, term in enumerate(self.shown) if term.segment == first][:_ITEM_TERMS]
        are_names = all(j in opening and not any(c.isdigit() for c in self.shown[j].key) for j in facts)
        return are_names and self.is_carried_on(first, other)

    def _is_bare(self, j: int, first: int) -> bool:
        term = self.shown[j]
        return term.kind in NAMING and not term.scope and (j == first or term.lead not in _VERBS)

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
