"""What one search sees: a generation's segment, the delta's segments, and which of their passages still live.

A snapshot never changes. The retriever puts a new one in its place, so a search reads one state from start to end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retriever.fusion import fuse, lexical_similarity, semantic_similarity
from retriever.lexical import inverse_document_frequency
from retriever.segment import IndexEntry, Segment

# Delta segments of up to this many passages are merged with what arrives; larger ones stay as they are, so that
# catching up after an upload takes milliseconds however large the delta is.
_MERGE_BELOW = 2_000
# A corrected word may be the wrong one; a passage that holds it counts for less than one with the word as typed.
_CORRECTED_WEIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Hit:
    """Scores as in ``ScoredPassage``."""

    passage_id: str
    score: float
    dense_score: float
    lexical_score: float
    question_score: float | None


@dataclass(frozen=True, slots=True)
class Query:
    """``vector``: (dimension,) float32, whose products with unit vectors are similarities of at most 1. ``terms`` in
    order, repeats kept; those of the context have ``context_share`` (0..1) of the lexical score."""

    vector: NDArray[np.float32]
    terms: Sequence[str]
    collection: str | None
    context_terms: Sequence[str] = ()
    context_share: float = 0.0


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """``alive``: (len(segment),) mask of the passages that are neither deleted nor superseded.

    ``entries`` are what a segment of the delta was built from, to merge it with the next; a generation keeps none.
    """

    segment: Segment
    alive: NDArray[np.bool_]
    entries: tuple[IndexEntry, ...] = ()

    @classmethod
    def of(cls, segment: Segment, entries: tuple[IndexEntry, ...] = ()) -> LiveSegment:
        return cls(segment, np.ones(len(segment), dtype=np.bool_), entries)

    def allowed(self, collection: str | None) -> NDArray[np.bool_] | None:
        """(passages,) mask of what may be found; None when nothing is filtered, so that nobody looks at a million."""
        if collection is None:
            return None if self.alive.all() else self.alive
        return self.alive & self.segment.in_collection(collection)

    def allowed_rows(self, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The same for the rows of the dense index: one a passage in their order, then the questions'."""
        questions = self.segment.row_passages[len(self.segment) :]
        return allowed if allowed is None or len(questions) == 0 else np.concatenate([allowed, allowed[questions]])

    def without(self, passage_ids: frozenset[str]) -> LiveSegment:
        numbers = self.segment.numbers(passage_ids)
        if len(numbers) == 0:
            return self
        alive = self.alive.copy()
        alive[numbers] = False
        kept = tuple(entry for entry in self.entries if entry.passage_id not in passage_ids)
        return replace(self, alive=alive, entries=kept)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``live_id`` is what the database calls live, ``generation_id`` what is searched; they differ when degraded."""

    revision: int
    dimension: int
    live_id: str | None = None
    generation_id: str | None = None
    base: LiveSegment | None = None
    delta: tuple[LiveSegment, ...] = ()
    degraded: str | None = None

    @property
    def delta_count(self) -> int:
        return sum(len(part.entries) for part in self.delta)

    @property
    def passage_count(self) -> int:
        return self.delta_count + (int(np.count_nonzero(self.base.alive)) if self.base else 0)

    @property
    def unembedded_count(self) -> int:
        return sum(entry.vector is None for part in self.delta for entry in part.entries)

    def advance(self, revision: int, added: Sequence[IndexEntry], removed: Iterable[str]) -> Snapshot:
        """The next state: added passages supersede their former selves, removed ones are masked everywhere."""
        gone = frozenset(removed) | {entry.passage_id for entry in added}
        base = self.base.without(gone) if self.base else None
        parts = [part for part in (part.without(gone) for part in self.delta) if part.entries]
        fresh = tuple(added)
        # Equal sizes merge like carries in a binary counter: an entry is rebuilt a logarithmic number of times.
        while fresh and parts and len(parts[-1].entries) <= min(2 * len(fresh), _MERGE_BELOW):
            fresh = parts.pop().entries + fresh
        if fresh:
            parts.append(LiveSegment.of(Segment.build(fresh, self.dimension), fresh))
        return replace(self, revision=revision, base=base, delta=tuple(parts))

    def search(self, query: Query, candidates: int, dense_weight: float) -> list[Hit]:
        """Live passages of the collection, best first: the ``candidates`` best of each half of each segment."""
        weights, ceiling = self._weigh_in_context(query)
        # A query of stop words only has nothing to match by its words: its meaning alone is judged.
        dense_share = dense_weight if ceiling > 0 else 1.0
        hits: list[Hit] = []
        for part in self._parts():
            hits.extend(_search_part(part, query, weights, ceiling, candidates, dense_share))
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage_id))

    def frequency(self, term: str) -> int:
        """In how many passages the term stands, those included that are masked by now."""
        return sum(part.segment.lexical.frequency(term) for part in self._parts())

    def nearest_term(self, term: str) -> str | None:
        """The term of some passage that a mistyped one may stand for."""
        nearest = (part.segment.spelling.nearest(term) for part in self._parts())
        return next((found for found in nearest if found is not None), None)

    def _parts(self) -> list[LiveSegment]:
        return [part for part in (self.base, *self.delta) if part is not None and len(part.segment) > 0]

    def _weigh_in_context(self, query: Query) -> tuple[dict[str, float], float]:
        """As ``_weigh``. The context is brought to the ceiling of the query's own terms; where one of the two says
        nothing that could be matched, the other is all there is."""
        weights, ceiling = self._weigh(query.terms)
        around, context_ceiling = self._weigh(query.context_terms)
        if ceiling <= 0 or context_ceiling <= 0:
            return (weights, ceiling) if ceiling > 0 else (around, context_ceiling)
        own, share = 1.0 - query.context_share, query.context_share * ceiling / context_ceiling
        mixed = {term: own * weight for term, weight in weights.items()}
        for term, weight in around.items():
            mixed[term] = mixed.get(term, 0.0) + share * weight
        return mixed, ceiling

    def _weigh(self, terms: Sequence[str]) -> tuple[dict[str, float], float]:
        """Term weights of the query, and the score of a passage saturated with every term (the ceiling).

        Frequencies are those of all segments together. An unknown word stays in the ceiling: what the knowledge base
        never mentions lowers every score.
        """
        passages = sum(len(part.segment) for part in self._parts())
        weights: dict[str, float] = {}
        ceiling = 0.0
        for term, count in Counter(terms).items():
            frequency = self.frequency(term)
            weight = count * inverse_document_frequency(frequency, passages)
            ceiling += weight
            known = term if frequency else self.nearest_term(term)
            if known is not None:
                weights[known] = weights.get(known, 0.0) + weight * (1.0 if frequency else _CORRECTED_WEIGHT)
        return weights, ceiling


def _search_part(
    part: LiveSegment, query: Query, weights: Mapping[str, float], ceiling: float, candidates: int, dense_share: float
) -> list[Hit]:
    segment = part.segment
    allowed = part.allowed(query.collection)
    # A FAQ entry has two rows, so twice the rows give at least as many passages.
    rows = segment.dense.search(query.vector, 2 * candidates, part.allowed_rows(allowed))
    numbers = np.union1d(segment.row_passages[rows], segment.lexical.best(weights, candidates, allowed))
    lexical_scores = segment.lexical.scores(weights, numbers)
    cosines = segment.cosines(query.vector, numbers)
    question_cosines = segment.question_cosines(query.vector, numbers)
    semantic = semantic_similarity(cosines, question_cosines)
    scores = fuse(semantic, lexical_similarity(lexical_scores, ceiling), dense_share)
    dense_scores = np.clip(cosines, -1.0, 1.0)
    return [
        Hit(
            passage_id=segment.passage_id(number),
            score=float(scores[place]),
            dense_score=float(dense_scores[place]),
            lexical_score=float(lexical_scores[place]),
            question_score=None if np.isnan(question_cosines[place]) else float(question_cosines[place]),
        )
        for place, number in enumerate(numbers)
    ]
