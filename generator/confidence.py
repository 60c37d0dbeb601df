"""How sure the agent may be, before a word is composed, that the passages hold an answer.

The evidence says most of it; how much the GPT-2 has for declining, when it is shown that evidence, says the rest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from domain.documents import ScoredPassage
from domain.protocols import Embedder
from domain.text import words
from generator.answer_types import expected_types, holds_type
from generator.evidence import EvidenceFound, heading_of
from generator.refusal import NOTHING, RefusalModel
from generator.tokens import Token
from generator.wording import content_words, stems

_TYPO_RATIO = 0.8
_SAME_START = 5
_UNRELATED = 0.25  # cosine of two single words that have nothing to do with each other, MiniLM
_SYNONYM = 0.65  # and of two that may stand for one another
_COVERED = 0.5
_MAX_CACHED_WORDS = 20_000
_TOP = 3
_SUREST = 12.0  # nats
_UNKNOWN_COVER = 0.5  # where words cannot be compared: what English questions without an answer have in the mean


@dataclass(frozen=True, slots=True)
class Features:
    """What the value is made of, on scales that mean the same for every knowledge base."""

    sentence: float  # log-odds of the best sentence
    margin: float  # best sentence above the best one of any other passage
    sentence_cosine: float  # best sentence under its heading
    top_cosines: float  # mean of the best three
    gap: float  # best sentence's cosine above the median one: an answer stands out
    least_cover: float  # 0..1, of the question's content words, the one that is covered worst
    mean_cover: float  # 0..1
    holds_answer_type: float  # -1 when the best sentences hold nothing of the kind that is asked for, else 0
    search: float  # 0..1, fused score of the best passage
    question_cosine: float  # best FAQ question
    read: float  # the reader's log-odds of the sentence that it finds best, 0 without a reader
    read_next: float  # of the second best
    declined: float = 0.0  # the GPT-2's log-odds of declining against its best sentence, 0 where it was not asked


@dataclass(frozen=True, slots=True)
class Confidence:
    value: float
    features: Features
    uncovered: tuple[str, ...]  # words of the question that nothing in the passages stands for

    def with_model(self, declined: float, refusal: RefusalModel) -> Confidence:
        """The same after the GPT-2 was asked; see ``Features.declined``."""
        bounded = max(-_SUREST, min(_SUREST, declined))
        features = replace(self.features, declined=bounded)
        return replace(self, value=refusal.probability(asdict(features)), features=features)

    def to_dict(self) -> dict[str, object]:
        return {"value": self.value, "uncovered": list(self.uncovered), **asdict(self.features)}


class WordVectors:
    """Embeddings of single words, remembered: the same few thousand words make up a knowledge base."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def encode(self, wanted: Sequence[str]) -> NDArray[np.float32]:
        """(len(wanted), dimension) float32, L2-normalised."""
        with self._lock:
            missing = [word for word in dict.fromkeys(wanted) if word not in self._known]
            known = {word: self._known[word] for word in wanted if word in self._known}
        if missing:
            known.update(zip(missing, self._embedder.encode_documents(missing), strict=True))
        with self._lock:
            self._known.update(known)
            while len(self._known) > _MAX_CACHED_WORDS:
                self._known.popitem(last=False)
        return np.stack([known[word] for word in wanted])


def word_covers(question: str, hits: Sequence[ScoredPassage], vectors: WordVectors) -> dict[str, float]:
    """For each content word of the question, 0..1: how well the best word of the passages stands for it."""
    asked = [token for token in content_words(question) if not token.is_number]  # often the customer's own figures
    shown_text = "\n".join(f"{heading_of(hit)}\n{hit.passage.text}" for hit in hits)
    shown = stems(shown_text)
    covers = {token.raw: 1.0 for token in asked if token.key in shown}
    open_words = [token for token in asked if token.raw not in covers]
    if not open_words or not shown:
        return covers | {token.raw: 0.0 for token in open_words}
    vocabulary = sorted({word.lower() for word in words(shown_text) if len(word) > 2})
    near = _nearest([token.raw.lower() for token in open_words], vocabulary, vectors)
    for token, cosine in zip(open_words, near, strict=True):
        covers[token.raw] = _soft_cover(token, vocabulary, float(cosine))
    return covers


def assess(
    question: str,
    hits: Sequence[ScoredPassage],
    found: EvidenceFound,
    vectors: WordVectors | None,
    refusal: RefusalModel,
) -> Confidence:
    """Judge what was found for a question; without ``vectors`` (another language than English) by its meaning alone."""
    covers = word_covers(question, hits, vectors) if vectors is not None else None
    features = _features(question, hits, found, covers)
    uncovered = tuple(word for word, cover in (covers or {}).items() if cover < _COVERED)
    return Confidence(refusal.probability(asdict(features)) if hits else 0.0, features, uncovered)


def _features(
    question: str, hits: Sequence[ScoredPassage], found: EvidenceFound, covers: Mapping[str, float] | None
) -> Features:
    best = found.sentences[0] if found.sentences else None
    others = [s.log_odds for s in found.sentences if best and s.hit.passage.passage_id != best.hit.passage.passage_id]
    cosines = found.cosines or (0.0,)
    expected = expected_types(question)
    shares = list(covers.values()) if covers is not None else [_UNKNOWN_COVER]
    # Amounts and times are recognised in English only.
    holds = covers is None or any(holds_type(expected, sentence.text) for sentence in found.sentences[:_TOP])
    return Features(
        sentence=best.log_odds if best else NOTHING,
        margin=best.log_odds - max(others, default=NOTHING) if best else 0.0,
        sentence_cosine=cosines[0],
        top_cosines=sum(cosines[:_TOP]) / len(cosines[:_TOP]),
        gap=cosines[0] - cosines[len(cosines) // 2],
        least_cover=min(shares, default=0.0),
        mean_cover=sum(shares) / len(shares) if shares else 0.0,
        holds_answer_type=float(holds) - 1.0,
        search=max((hit.score for hit in hits), default=0.0),
        question_cosine=max((hit.question_score or 0.0 for hit in hits), default=0.0),
        read=found.read[0] if found.read else 0.0,
        read_next=found.read[1] if len(found.read) > 1 else NOTHING if found.read else 0.0,
    )


def _nearest(asked: Sequence[str], vocabulary: Sequence[str], vectors: WordVectors) -> NDArray[np.float32]:
    """(len(asked),) the cosine of each asked word to its nearest word of the vocabulary."""
    if not vocabulary:
        return np.zeros(len(asked), dtype=np.float32)
    cosines: NDArray[np.float32] = vectors.encode(asked) @ vectors.encode(vocabulary).T  # (n_asked, n_vocabulary)
    nearest: NDArray[np.float32] = cosines.max(axis=1)
    return nearest


def _is_slip(word: str, other: str) -> bool:
    """True when one is likely a misspelling of the other."""
    if len(word) < 4 or abs(len(word) - len(other)) > 2 or word[0] != other[0]:
        return False
    return sorted(word) == sorted(other) or SequenceMatcher(None, word, other).ratio() >= _TYPO_RATIO


def _soft_cover(token: Token, vocabulary: Sequence[str], cosine: float) -> float:
    """A code is there or is not; a word may be misspelt, a part of a compound, or a synonym."""
    word = token.raw.lower()
    if any(c.isdecimal() for c in word):
        return 0.0
    for other in vocabulary:
        if min(len(word), len(other)) >= _SAME_START and (word.startswith(other) or other.startswith(word)):
            return 1.0
        if _is_slip(word, other):
            return 0.9
    return min(max((cosine - _UNRELATED) / (_SYNONYM - _UNRELATED), 0.0), 0.9)
