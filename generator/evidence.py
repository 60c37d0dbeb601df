"""Which sentences of the found passages to show the composing model, and to quote when it does not speak.

A passage is up to 200 words, the prompt has room for about 150 in all, and a small model reads best when the answer
stands near the top: so sentences are scored one by one, and the best ones travel with a neighbour or two.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.documents import Passage, ScoredPassage
from domain.protocols import Embedder, PassageToRead, Reader, SearchResult
from domain.text import Span, count_words, is_table_row, sentence_spans, words
from generator.answer_types import expected_types, holds_type
from generator.condense import is_follow_up
from generator.prompt import Evidence
from generator.search_plan import PlannedSearch
from generator.wording import content_words, stems

MAX_SNIPPETS = 4
_MAX_SNIPPET_SENTENCES = 3
_MAX_SNIPPET_ROWS = 7  # of a table: an answer about opening hours is a week
_MAX_SNIPPET_WORDS = 75
_MAX_SENTENCES_SCORED = 80
# Of the cosine to the question, the share of its words, the passage's search score, holding the kind of thing asked
# for, such as an amount, how nearly the entry's own question asks the same, and having been said in the last answer.
# Set by hand on the visible golden questions and Doc2Dial; docs/quality.md has what else was tried.
_BIAS = -4.8
_WEIGHTS = (4.0, 1.5, 1.6, 0.32, 4.0, -1.0)
_READ_WEIGHT = 0.5  # of the reader's log-odds, where there is a reader; docs/reader.md has what else was tried
_EMBEDDED = 20  # sentences that a reader finds best; the others are given the least cosine of these
_ASKS_ALIKE = 0.5  # cosine of two questions; below it, two FAQ entries of one shop differ no less
_NEIGHBOUR_SHARE = 0.6  # of the best sentence's probability: a neighbour that is as likely comes along
_LEANING = re.compile(
    r"^(?:it|its|this|that|these|those|they|their|he|she|then|otherwise|however|but|also|in (?:this|that) case|"
    r"after (?:this|that)|for (?:this|that|these)|instead|yes|no)\b",
    re.IGNORECASE,
)
# "Yes." is proven by any passage that says it, and true only under the question that it replies to.
BARE_REPLY = re.compile(r"^(?:yes|no|sure|of course|certainly|unfortunately not)[.!]$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """``span`` is in the passage's text. ``log_odds``, in nats, that it is part of the answer."""

    hit: ScoredPassage
    index: int
    span: Span
    text: str
    log_odds: float

    @property
    def score(self) -> float:
        """The same as a probability."""
        return 1.0 / (1.0 + math.exp(-self.log_odds))


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """``sentences``, their ``cosines`` to the question, and the reader's log-odds if it was asked; each best first."""

    sentences: tuple[ScoredSentence, ...] = ()
    cosines: tuple[float, ...] = ()
    read: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Snippet:
    """One to three adjacent sentences of one passage, or up to seven where they are a table's rows; the best is why it
    was chosen."""

    hit: ScoredPassage
    sentences: tuple[ScoredSentence, ...]

    @property
    def log_odds(self) -> float:
        return max(sentence.log_odds for sentence in self.sentences)

    @property
    def to_say(self) -> list[ScoredSentence]:
        return [sentence for sentence in self.sentences if not BARE_REPLY.match(sentence.text)]

    @property
    def span(self) -> Span:
        return Span(self.sentences[0].span.start, self.sentences[-1].span.end)

    @property
    def text(self) -> str:
        return self.span.of(self.hit.passage.text)

    def shown(self) -> Evidence:
        return Evidence(self.text, heading_of(self.hit, self.span.start))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that is to be judged: the ``index``-th of its passage."""

    hit: ScoredPassage
    index: int
    span: Span

    @property
    def text(self) -> str:
        return self.span.of(self.hit.passage.text)

    @property
    def in_context(self) -> str:
        """The heading says what a sentence is about when the sentence itself only says "it"."""
        return f"{_short_heading(self.hit, self.span.start)}: {self.text}"

    def scored(self, log_odds: float) -> ScoredSentence:
        return ScoredSentence(self.hit, self.index, self.span, self.text, log_odds)


def heading_of(hit: ScoredPassage, place: int = 0) -> str:
    """What stands over this place of the passage: the FAQ question, or the document's title and the headings."""
    passage = hit.passage
    if passage.question:
        return passage.question
    path = passage.heading_path_at(place)
    return " > ".join(path if path and path[0] == hit.stored.title else (hit.stored.title, *path))


def score_sentences(
    planned: PlannedSearch, result: SearchResult, embedder: Embedder, reader: Reader | None = None
) -> EvidenceFound:
    """Every sentence of the passages, judged by words and vectors, and by a ``reader`` where there is one.

    Without a reader the first 80 sentences are judged, those of the best passages first. A question of its own that
    seems to be answered by what was said last is read once more, without what was said before.
    """
    found = candidates(result)
    if not found:
        return EvidenceFound()
    if reader is None:
        found = found[:_MAX_SENTENCES_SCORED]
        return judge(planned, found, candidate_cosines(result, found, embedder))
    judged = _read_and_judge(planned, result, found, embedder, reader)
    if planned.before and not is_follow_up(planned.part) and _plain(judged.sentences[0].text) in _plain(planned.told):
        # Behind what was said last, what was said last reads like the answer to anything.
        return _read_and_judge(replace(planned, before=""), result, found, embedder, reader)
    return judged


def _read_and_judge(
    planned: PlannedSearch, result: SearchResult, found: Sequence[Candidate], embedder: Embedder, reader: Reader
) -> EvidenceFound:
    read = read_candidates(planned, result, reader)
    best = np.argsort(-read)[:_EMBEDDED]
    embedded = candidate_cosines(result, [found[i] for i in best], embedder)
    cosines = np.full(len(found), embedded.min())
    cosines[best] = embedded
    return judge(planned, found, cosines, read)


def candidates(result: SearchResult) -> list[Candidate]:
    """Every sentence of the passages, best passages first."""
    return [Candidate(hit, i, span) for hit in result.passages for i, span in _sentences(hit.passage)]


def judge(
    planned: PlannedSearch,
    found: Sequence[Candidate],
    cosines: NDArray[np.float32],
    read: NDArray[np.float32] | None = None,
    read_weight: float = _READ_WEIGHT,
) -> EvidenceFound:
    """``cosines`` and ``read``: (n_sentences,), as ``candidate_cosines`` and ``read_candidates`` give them."""
    odds = np.zeros(len(found)) if read is None else read_weight * read
    scored = [
        one.scored(_BIAS + float(own) + sum(w * s for w, s in zip(_WEIGHTS, (float(cosine), *rest), strict=True)))
        for one, own, cosine, rest in zip(found, odds, cosines, _signals(planned, found), strict=True)
    ]
    return EvidenceFound(
        tuple(sorted(scored, key=lambda sentence: -sentence.log_odds)),
        tuple(sorted(map(float, cosines), reverse=True)),
        () if read is None else tuple(sorted(map(float, read), reverse=True)),
    )


def read_candidates(planned: PlannedSearch, result: SearchResult, reader: Reader) -> NDArray[np.float32]:
    """(n_sentences,) the reader's log-odds of each candidate."""
    return np.concatenate(reader.read(planned.as_searched(result), planned.before, passages_to_read(result)))


def passages_to_read(result: SearchResult) -> list[PassageToRead]:
    return [
        PassageToRead(heading_of(hit), hit.passage.text, tuple(span for _, span in _sentences(hit.passage)))
        for hit in result.passages
    ]


def candidate_cosines(result: SearchResult, found: Sequence[Candidate], embedder: Embedder) -> NDArray[np.float32]:
    """(n_sentences,) of each candidate under its heading to the question."""
    # Passages are found by what the conversation is about; which sentence answers, the question itself says rather.
    own = result.query_vector if result.own_vector is None else result.own_vector
    vectors = embedder.encode_documents([one.in_context for one in found])
    return np.asarray(vectors @ ((result.query_vector + own) / 2), dtype=np.float32)


def _signals(planned: PlannedSearch, found: Sequence[Candidate]) -> Iterator[tuple[float, ...]]:
    """For each sentence what can be told without a model, in the order of the weights after the cosine's."""
    shown = [stems(one.in_context) for one in found]
    asked = (planned.part if planned.context else planned.query, planned.query)
    overlaps = np.mean([_overlaps(_keys(text), shown) for text in asked], axis=0)
    expected = expected_types(planned.query)
    told = _plain(planned.told)
    for one, overlap in zip(found, overlaps, strict=True):
        holds = bool(expected) and holds_type(expected, one.text)
        entry = max(0.0, (one.hit.question_score or 0.0) - _ASKS_ALIKE)
        yield float(overlap), one.hit.score, float(holds), entry, float(_plain(one.text) in told)


def _sentences(passage: Passage) -> Iterator[tuple[int, Span]]:
    """Numbered sentences, the headings between sections left out. Those of two sections are never neighbours."""
    number = 0
    for part in passage.parts:
        for span in sentence_spans(passage.text[part.start : part.end]):
            yield number, Span(part.start + span.start, part.start + span.end)
            number += 1
        number += 1


def _plain(text: str) -> str:
    return f" {' '.join(words(text.lower()))} "


def _keys(text: str) -> frozenset[str]:
    return frozenset(token.key for token in content_words(text))


def _overlaps(asked: frozenset[str], shown: Sequence[frozenset[str]]) -> list[float]:
    """For each sentence, the share of the question's stems in it; a stem that few of the sentences have weighs more."""
    weights = {key: math.log((len(shown) + 1) / (sum(key in found for found in shown) + 0.5)) for key in asked}
    total = sum(weights.values()) or 1.0
    return [sum(weights[key] for key in asked & found) / total for found in shown]


def choose_snippets(scored: Sequence[ScoredSentence], max_words: int) -> list[Snippet]:
    """At most four snippets of at most ``max_words`` together, best first; the first is there whatever its length."""
    by_place = {(s.hit.passage.passage_id, s.index): s for s in scored}
    taken: set[tuple[str, int]] = set()
    snippets: list[Snippet] = []
    left = max_words
    for seed in scored:
        if (seed.hit.passage.passage_id, seed.index) in taken or BARE_REPLY.match(seed.text):
            continue
        window = _window(seed, by_place, taken)
        size = sum(count_words(s.text) for s in window)
        if snippets and size > left:
            continue
        left -= size
        taken.update((s.hit.passage.passage_id, s.index) for s in window)
        snippets.append(Snippet(seed.hit, tuple(window)))
        if len(snippets) == MAX_SNIPPETS or left <= 0:
            break
    return snippets


def _window(
    seed: ScoredSentence, by_place: dict[tuple[str, int], ScoredSentence], taken: set[tuple[str, int]]
) -> list[ScoredSentence]:
    passage_id = seed.hit.passage.passage_id

    def free(index: int) -> ScoredSentence | None:
        return None if (passage_id, index) in taken else by_place.get((passage_id, index))

    window = [seed]
    while len(window) < _most_of(window):
        before, after = free(window[0].index - 1), free(window[-1].index + 1)
        likely = [one for one in (after, before) if one and one.score >= _NEIGHBOUR_SHARE * seed.score]
        if before and _LEANING.match(window[0].text):
            chosen = before
        elif after and _LEANING.match(after.text):
            chosen = after
        elif likely:
            chosen = max(likely, key=lambda one: one.score)
        else:
            break
        if sum(count_words(s.text) for s in (*window, chosen)) > _MAX_SNIPPET_WORDS:
            break
        window = [chosen, *window] if chosen.index < window[0].index else [*window, chosen]
    return window


def _most_of(window: Sequence[ScoredSentence]) -> int:
    return _MAX_SNIPPET_ROWS if all(is_table_row(one.text) for one in window) else _MAX_SNIPPET_SENTENCES


def _short_heading(hit: ScoredPassage, place: int) -> str:
    path = hit.passage.heading_path_at(place)
    return hit.passage.question or (path[-1] if path else hit.stored.title)
