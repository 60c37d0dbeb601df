"""Grounded examples: a question, the evidence shown with it, and the answer that may be given.

A *seed* is a question with the passage that answers it (or none). This module turns seeds into what the model will
meet at run time: one to four snippets of one to three sentences, best first and all alike, of which the right one is
usually but not always the first, sometimes none. The answer is the right sentences, copied, each with its mark. Where
seeds come from is the business of ``generator.train.sources``; nothing here reads a file.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from domain.text import words
from generator.prompt import Evidence, MarkedSentence, render_answer, render_prompt

_STOPWORDS = frozenset(
    words(
        "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its "
        "me my of on or our should so that the their them there these they this to was we were what when where which "
        "who why will with would you your about more than then also not no yes please tell"
    )
)
_HELD_OUT_PARTS = 3
_VALIDATION_PARTS = 20
_GOLD_RANK_WEIGHTS = (0.5, 0.25, 0.15, 0.1)
_EVIDENCE_WORDS = (50, 180)
_MAX_SNIPPETS = 4
_MAX_SNIPPET_SENTENCES = 3
_MAX_SNIPPET_WORDS = 75
_NEIGHBOURS = 14  # passages of the same document tried as distractors
_STRANGERS = 26  # passages of other documents of the same source tried as distractors


def is_held_out(doc_id: str) -> bool:
    """True for the third of the Doc2Dial documents that no fitting may see; they judge the finished model."""
    return _bucket("held-out:" + doc_id, _HELD_OUT_PARTS) == 0


def is_validation(document: str) -> bool:
    """True for the twentieth of all documents whose examples only ever measure."""
    return _bucket("validation:" + document, _VALIDATION_PARTS) == 0


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive sentences of one document under one heading."""

    document: str
    heading: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seed:
    """A question, the passage it is about, and which of its sentences answer it (none: the passage does not).

    ``reply`` is a human wording of the answer; where it stands it is the target instead of the copied sentences.
    """

    source: str
    question: str
    passage: Passage
    answer: tuple[int, ...]
    reply: str = ""
    show_heading: bool = True


@dataclass(frozen=True, slots=True)
class GroundedExample:
    source: str
    document: str
    question: str
    evidence: tuple[Evidence, ...]
    answer: tuple[MarkedSentence, ...]

    def prompt(self) -> str:
        return render_prompt(self.question, self.evidence)

    def target(self) -> str:
        return render_answer(self.answer)


def content_words(text: str) -> frozenset[str]:
    """Lower-cased words that carry meaning, with a plural ``s`` taken off."""
    lowered = (word.lower() for word in words(text))
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in lowered) - _STOPWORDS


@dataclass
class _Pool:
    """The passages of one source and one side of the split, with their words, to draw distractors from."""

    passages: list[Passage] = field(default_factory=list)
    word_sets: list[frozenset[str]] = field(default_factory=list)
    by_document: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    document_frequency: Counter[str] = field(default_factory=Counter)

    def add(self, passage: Passage) -> None:
        found = content_words(passage.heading + " " + " ".join(passage.sentences))
        self.by_document[passage.document].append(len(self.passages))
        self.passages.append(passage)
        self.word_sets.append(found)
        self.document_frequency.update(found)

    def weight(self, shared: Iterable[str]) -> float:
        """Summed inverse document frequency of the shared words."""
        n = len(self.passages) + 1
        return sum(math.log(n / (1 + self.document_frequency[word])) + 0.1 for word in shared)


class ExampleBuilder:
    """Builds examples from seeds, with distractors from the same source and the same side of the split.

    Args:
        seeds: every seed; their passages are what distractors are drawn from.
        refusal_share: how often the right passage is left out, so that declining is the right answer.
    """

    def __init__(self, seeds: Sequence[Seed], refusal_share: float = 0.14) -> None:
        self._refusal_share = refusal_share
        self._pools: dict[tuple[str, bool], _Pool] = defaultdict(_Pool)
        for passage, source in {seed.passage: seed.source for seed in seeds}.items():
            self._pools[source, is_validation(passage.document)].add(passage)

    def build(self, seed: Seed, rng: random.Random) -> GroundedExample:
        pool = self._pools[seed.source, is_validation(seed.passage.document)]
        wanted = content_words(seed.question)
        absent = bool(seed.answer) and rng.random() < self._refusal_share
        budget = rng.randint(*_EVIDENCE_WORDS)
        gold_answer = () if absent else seed.answer
        snippets: list[Evidence] = []
        if not absent:
            window = _window_around(seed.passage, seed.answer or _best_sentence(seed.passage, wanted), rng)
            snippets.append(Evidence(" ".join(window), seed.passage.heading if seed.show_heading else ""))
            budget -= len(snippets[0].text.split())
        n_more = rng.choices((0, 1, 2, 3), (0.08, 0.22, 0.35, 0.35))[0] + (1 if absent else 0)
        for other in self._distractors(seed, pool, wanted, rng)[: min(n_more, _MAX_SNIPPETS)]:
            snippet = _window_around(other, _best_sentence(other, wanted), rng)
            budget -= sum(len(sentence.split()) for sentence in snippet)
            if budget < 0 and snippets:
                break
            snippets.append(Evidence(" ".join(snippet), other.heading if seed.show_heading else ""))
        rank = 0
        if not absent and len(snippets) > 1:
            rank = rng.choices(range(len(snippets)), _GOLD_RANK_WEIGHTS[: len(snippets)])[0]
            snippets.insert(rank, snippets.pop(0))
        copied = [seed.passage.sentences[i] for i in gold_answer]
        told = [seed.reply] if seed.reply and gold_answer else copied
        answer = tuple(MarkedSentence(text, (rank + 1,)) for text in told)
        question = vary_question(seed.question, rng)
        return GroundedExample(seed.source, seed.passage.document, question, tuple(snippets), answer)

    def _distractors(self, seed: Seed, pool: _Pool, wanted: frozenset[str], rng: random.Random) -> list[Passage]:
        """Passages that look right and are not, best first; a little noise keeps the order from being a clue."""
        near = pool.by_document[seed.passage.document]
        tried = rng.sample(near, min(_NEIGHBOURS, len(near)))
        tried += rng.sample(range(len(pool.passages)), min(_STRANGERS, len(pool.passages)))
        scored: dict[int, float] = {}
        answers = {seed.passage.sentences[i] for i in seed.answer}
        for i in tried:
            passage = pool.passages[i]
            if passage == seed.passage or answers & set(passage.sentences):
                continue
            scored[i] = pool.weight(wanted & pool.word_sets[i]) * rng.uniform(0.7, 1.3) + rng.random() * 0.1
        return [pool.passages[i] for i in sorted(scored, key=lambda i: -scored[i])[:_MAX_SNIPPETS]]


def vary_question(question: str, rng: random.Random) -> str:
    """The same question as a hurried customer might type it: lower case, no question mark, a slip, keywords only."""
    text = question.strip()
    if rng.random() < 0.12:
        kept = [word for word in text.rstrip("?.! ").split() if word.lower().strip(",;:'\"") not in _STOPWORDS]
        text = " ".join(kept) if len(kept) >= 2 else text
    if rng.random() < 0.4:
        text = text.rstrip("?. ")
    if rng.random() < 0.4:
        text = text.lower()
    if rng.random() < 0.1:
        text = _slip(text, rng)
    if rng.random() < 0.06:
        text = rng.choice(("hi, ", "Hello, ", "please tell me: ", "quick question: ", "Hi! ")) + text
    return text


def _slip(text: str, rng: random.Random) -> str:
    tokens = text.split(" ")
    long_words = [i for i, token in enumerate(tokens) if len(token) > 4 and token.isalpha()]
    if not long_words:
        return text
    i = rng.choice(long_words)
    at = rng.randrange(1, len(tokens[i]) - 1)
    word = tokens[i]
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    tokens[i] = rng.choice((swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]))
    return " ".join(tokens)


def _best_sentence(passage: Passage, wanted: frozenset[str]) -> tuple[int, ...]:
    """The index of the sentence that shares the most words with the question; the first one on a tie."""
    shared = [len(wanted & content_words(sentence)) for sentence in passage.sentences]
    return (max(range(len(shared)), key=lambda i: (shared[i], -i)),)


def _window_around(passage: Passage, kept: tuple[int, ...], rng: random.Random) -> tuple[str, ...]:
    """One to three consecutive sentences that hold every kept index (more only where the kept ones span more)."""
    first, last = min(kept), max(kept)
    target = rng.randint(1, _MAX_SNIPPET_SENTENCES)
    while last - first + 1 < target:
        before, after = first > 0, last + 1 < len(passage.sentences)
        if not (before or after):
            break
        if before and (not after or rng.random() < 0.4):
            first -= 1
        else:
            last += 1
        if sum(len(sentence.split()) for sentence in passage.sentences[first : last + 1]) > _MAX_SNIPPET_WORDS:
            break
    return passage.sentences[first : last + 1]


def _bucket(text: str, parts: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % parts
