"""Questions that a company's own knowledge base answers, and which side of the split each is on.

A *group* is a FAQ entry or a document. Everything that is asked about one group stays on one side: a model that was
trained on one wording of a question is not measured on another.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.documents import Passage, StoredPassage
from domain.ratings import RatedAnswer
from domain.text import count_words, sentences
from generator.augmentation import reword
from generator.evaluation import GoldenQuery
from generator.evidence import BARE_REPLY
from generator.train.asking import ask_about, keyword_question, sentence_question
from generator.wording import stems

_ENOUGH_WORDS = 12  # an answer shorter than this takes the next sentence with it
_MAX_SENTENCES = 2
_MIN_WORDS, _MAX_WORDS = 4, 60  # of a sentence that may be an answer
_REWORDINGS = 2  # of a FAQ question; where none is known it is drawn as often as it stands, people having written it
_QUESTIONS_A_PASSAGE = 3  # made from its sentences, beside the one from its heading


class Side(StrEnum):
    TRAINING = "training"
    VALIDATION = "validation"  # ends the training early; its figures are no measurement
    HELD_BACK = "held_back"  # compares the models


@dataclass(frozen=True, slots=True)
class CompanyQuestion:
    """``gold``: the sentences that answer; none when nothing in the knowledge base does.

    ``passage`` holds them; None for a written question, whose gold may stand in several. ``kind`` is ``faq``,
    ``heading``, ``sentence``, ``rated``, ``written`` or ``golden``.
    """

    kind: str
    question: str
    groups: frozenset[str]
    gold: tuple[str, ...]
    passage: StoredPassage | None = None


def group_of(passage: Passage) -> str:
    """The FAQ entry's question, the same in however many files it stands; else the document."""
    if passage.question:
        return "faq:" + " ".join(passage.question.lower().split())
    return "document:" + passage.document_id


def ask_passages(passages: Iterable[StoredPassage], rng: random.Random) -> list[CompanyQuestion]:
    """Questions from FAQ entries (as written and reworded), from headings, and from sentences of running text."""
    found: list[CompanyQuestion] = []
    headed: set[tuple[str, tuple[str, ...]]] = set()
    for stored in passages:
        passage = stored.passage
        asked: list[tuple[str, str, tuple[str, ...]]] = []
        for part in passage.parts:
            told = [text for text in sentences(passage.text[part.start : part.end]) if not BARE_REPLY.match(text)]
            if not told:
                continue
            if passage.question:
                wordings = (passage.question, *(reword(passage.question, rng) for _ in range(_REWORDINGS)))
                asked += [("faq", wording, enough(told)) for wording in wordings]
                continue
            if part.heading_path and (passage.document_id, part.heading_path) not in headed:
                headed.add((passage.document_id, part.heading_path))
                asked.append(("heading", ask_about(part.heading_path[-1], rng), enough(told)))
            asked += [("sentence", question, (told[i],)) for question, i in _from_sentences(told, rng)]
        group = frozenset((group_of(passage),))
        found += [CompanyQuestion(kind, question, group, gold, stored) for kind, question, gold in asked]
    return found


def enough(told: Sequence[str]) -> tuple[str, ...]:
    """The first sentence, and the next one where the first alone says little."""
    kept: list[str] = []
    for sentence in told[:_MAX_SENTENCES]:
        kept.append(" ".join(sentence.split()))
        if sum(map(count_words, kept)) >= _ENOUGH_WORDS:
            break
    return tuple(kept)


def ask_rated(rated: Iterable[RatedAnswer], passages: Iterable[StoredPassage]) -> list[CompanyQuestion]:
    """What customers asked and found well answered, with the quotes that still stand in the knowledge base.

    An answer that was also rated down, by this or another customer, is left out.
    """
    live = {stored.passage.passage_id: stored for stored in passages}
    wanted: dict[tuple[str, tuple[str, ...]], CompanyQuestion] = {}
    unwanted: set[tuple[str, tuple[str, ...]]] = set()
    for one in rated:
        cited = [(live.get(c.passage_id), " ".join(c.quote.split())) for c in one.answer.citations]
        kept = [(stored, quote) for stored, quote in cited if stored and quote in " ".join(stored.passage.text.split())]
        if not kept:
            continue
        quotes = tuple(sentence for _, quote in kept for sentence in sentences(quote))
        key = (" ".join(one.question.lower().split()), quotes)
        if not one.helped:
            unwanted.add(key)
            continue
        groups = frozenset(group_of(stored.passage) for stored, _ in kept)
        wanted[key] = CompanyQuestion("rated", one.question, groups, quotes, kept[0][0])
    return [question for key, question in wanted.items() if key not in unwanted]


def without_disliked(questions: Iterable[CompanyQuestion], rated: Iterable[RatedAnswer]) -> list[CompanyQuestion]:
    """Leaves out what a customer got for the very same question and rated down."""
    disliked: dict[str, set[str]] = defaultdict(set)
    for one in rated:
        if not one.helped:
            told = (sentence for c in one.answer.citations for sentence in sentences(c.quote))
            disliked[" ".join(one.question.lower().split())].update(" ".join(text.split()) for text in told)
    return [q for q in questions if not disliked[" ".join(q.question.lower().split())] & set(q.gold)]


def without_wordings(
    questions: Iterable[CompanyQuestion], held_back: Iterable[CompanyQuestion]
) -> list[CompanyQuestion]:
    """Leaves out what is asked in the very words of a question that measures, whatever their order and case."""
    known = {stems(question.question) for question in held_back}
    return [question for question in questions if stems(question.question) not in known]


def ask_written(queries: Iterable[GoldenQuery], passages: Sequence[StoredPassage], kind: str) -> list[CompanyQuestion]:
    """Golden questions; a follow-up is left out, since its question means nothing without the turns before."""
    plain = [(stored, " ".join(stored.passage.text.lower().split())) for stored in passages]
    found: list[CompanyQuestion] = []
    for query in queries:
        if query.history:
            continue
        gold = tuple(piece.quote for piece in query.evidence)
        holders = [
            stored
            for stored, text in plain
            if any(" ".join(p.quote.lower().split()) in text and p.source == stored.source for p in query.evidence)
        ]
        groups = frozenset(group_of(stored.passage) for stored in holders)
        found.append(CompanyQuestion(kind, query.question, groups, gold if query.answerable else ()))
    return found


def split(
    questions: Iterable[CompanyQuestion], measured: frozenset[str], held_back_share: float, validation_share: float
) -> dict[Side, list[CompanyQuestion]]:
    """``measured`` groups are held back; where there are none, ``held_back_share`` of all are, by hash.

    A question about groups of two sides goes to the stricter one. What ends the training early is drawn by passage: a
    company has few documents, and a whole one, or none, would be a poor sample of what is trained.
    """
    sides: dict[Side, list[CompanyQuestion]] = {side: [] for side in Side}
    for question in questions:
        if any(_is_held_back(group, measured, held_back_share) for group in question.groups):
            side = Side.HELD_BACK
        elif any(_place(unit) < validation_share for unit in _units(question)):
            side = Side.VALIDATION
        else:
            side = Side.TRAINING
        sides[side].append(question)
    return sides


def _is_held_back(group: str, measured: frozenset[str], held_back_share: float) -> bool:
    return group in measured if measured else _place(group) >= 1 - held_back_share


def _units(question: CompanyQuestion) -> frozenset[str]:
    """A FAQ entry, in however many files it stands, or a passage of a document."""
    passage = question.passage.passage if question.passage else None
    return question.groups if passage is None or passage.question else frozenset((passage.passage_id,))


def _place(name: str) -> float:
    """0..1, by hash."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _from_sentences(told: Sequence[str], rng: random.Random) -> list[tuple[str, int]]:
    """(question, index of the sentence that answers it)."""
    usable = [i for i, text in enumerate(told) if _MIN_WORDS <= count_words(text) <= _MAX_WORDS]
    picked = rng.sample(usable, min(_QUESTIONS_A_PASSAGE, len(usable)))
    asked = [(sentence_question(told[i], rng) or keyword_question(told[i], rng), i) for i in sorted(picked)]
    return [(question, i) for question, i in asked if question]
