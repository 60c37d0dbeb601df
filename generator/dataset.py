"""Grounded examples: a question, the evidence shown with it, and the answer that may be given.

A *seed* is a question with the passage that answers it (or none). This module turns seeds into what the model will
meet at run time: one to four snippets of one to three sentences in an order that is usually right, beside
or instead of the right one what a search would have brought. The answer is the right sentences, copied, each with its
mark. Where seeds come from is the business of ``generator.train.sources``; nothing here reads a file.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from domain.text import words
from generator.augmentation import STOPWORDS, vary_question
from generator.distractors import Bm25
from generator.prompt import Evidence, MarkedSentence, ask_after, render_answer, render_prompt

_HELD_OUT_PARTS = 3
_VALIDATION_PARTS = 20
_GOLD_FIRST = 0.65  # how often the right snippet stands first
_LATER_RANKS = (0.43, 0.34, 0.23)  # where the right snippet stands otherwise
_MAX_SNIPPETS = 4  # as in generator.evidence, which brings more than training needs
_SNIPPETS = (0.05, 0.1, 0.2, 0.65)  # share of the prompts with one, two, three, four snippets, as far as they fit
_EVIDENCE_WORDS = (90, 150)  # the runtime setting is 150
_WINDOWS = (0.25, 0.35, 0.4)  # share of the snippets with one, two, three sentences, as far as they have neighbours
_MAX_SNIPPET_WORDS = 75
_FOUND = 8  # passages that the search brings
_NEIGHBOURS = 2  # passages of the same document that the search did not bring
_PASSAGE_WEIGHT = 0.4
_NOISE = 0.2  # on the scores of sentences, so that the order of the wrong ones is no clue


def is_held_out(doc_id: str) -> bool:
    """True for the third of the Doc2Dial documents that no fitting may see; they judge the finished model."""
    return _bucket("held-out:" + doc_id, _HELD_OUT_PARTS) == 0


def is_validation(document: str, parts: int = _VALIDATION_PARTS) -> bool:
    """True for the twentieth of all documents (or another part of them) whose examples only ever measure."""
    return _bucket("validation:" + document, parts) == 0


@dataclass(frozen=True, slots=True)
class SeedPassage:
    """Consecutive sentences of one document under one heading."""

    document: str
    heading: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seed:
    """A question, the passage it is about, and which of its sentences answer it (none: the passage does not).

    ``reply`` is a human wording of the answer; where it stands it is the target instead of the copied sentences.
    ``before`` is what was said before a follow-up.
    """

    source: str
    question: str
    passage: SeedPassage
    answer: tuple[int, ...]
    reply: str = ""
    show_heading: bool = True
    before: str = ""


@dataclass(frozen=True, slots=True)
class GroundedExample:
    """A prompt and its right answer; ``log_odds`` are those of the evidence where the product weighed it."""

    source: str
    document: str
    question: str
    evidence: tuple[Evidence, ...]
    answer: tuple[MarkedSentence, ...]
    log_odds: tuple[float, ...] = ()

    def prompt(self) -> str:
        return render_prompt(self.question, self.evidence)

    def target(self) -> str:
        return render_answer(self.answer)


@lru_cache(maxsize=400_000)
def content_words(text: str) -> frozenset[str]:
    """Lower-cased words that carry meaning, with a plural ``s`` taken off."""
    lowered = (word.lower() for word in words(text))
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in lowered) - STOPWORDS


class _Pool:
    """The passages of one source and one side of the split, to draw distractors from."""

    def __init__(self) -> None:
        self.passages: list[SeedPassage] = []
        self.by_document: dict[str, list[int]] = defaultdict(list)

    def add(self, passage: SeedPassage) -> None:
        self.by_document[passage.document].append(len(self.passages))
        self.passages.append(passage)

    @cached_property
    def index(self) -> Bm25:
        return Bm25([w for text in (p.heading, *p.sentences) for w in content_words(text)] for p in self.passages)


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
        """One example; the same seed gives another one each time: other evidence, order and wording."""
        absent = bool(seed.answer) and rng.random() < self._refusal_share
        wanted = content_words(f"{seed.before} {seed.question}")
        gold = [] if absent else [_gold_snippet(seed, wanted, rng)]
        n = rng.choices(range(1, _MAX_SNIPPETS + 1), _SNIPPETS)[0]
        budget = rng.randint(*_EVIDENCE_WORDS) - sum(_size(snippet.sentences) for snippet in gold)
        shown = self._distractors(seed, gold, wanted, rng)
        shown = _affordable(shown, budget, always_one=absent)[: n - len(gold)]
        if absent and not shown:  # the model is never asked about nothing
            absent, gold = False, [_gold_snippet(seed, wanted, rng)]
        rank = 0
        if gold:
            later = _LATER_RANKS[: len(shown)]
            if later and rng.random() > _GOLD_FIRST:
                rank = rng.choices(range(1, len(later) + 1), later)[0]
            shown.insert(rank, gold[0])
        copied = [] if absent else [seed.passage.sentences[i] for i in seed.answer]
        told = [seed.reply] if seed.reply and copied else copied
        return GroundedExample(
            seed.source,
            seed.passage.document,
            ask_after(seed.before, vary_question(seed.question, rng)),
            tuple(Evidence(" ".join(s.sentences), s.heading if seed.show_heading else "") for s in shown),
            tuple(MarkedSentence(text, (rank + 1,)) for text in told),
        )

    def _distractors(
        self, seed: Seed, gold: Sequence[SeedPassage], wanted: frozenset[str], rng: random.Random
    ) -> list[SeedPassage]:
        """Snippets of what the search brings, best first: of other passages, and of the right one's other sentences."""
        pool = self._pools[seed.source, is_validation(seed.passage.document)]
        found = pool.index.best(wanted, _FOUND)
        near = pool.by_document[seed.passage.document]
        scores = dict.fromkeys(rng.sample(near, min(_NEIGHBOURS, len(near))), 0.0) | dict(found)
        best = max(scores.values(), default=0.0) or 1.0
        answers = {seed.passage.sentences[i] for i in seed.answer}
        taken = {sentence for snippet in gold for sentence in snippet.sentences}
        asked = sum(pool.index.weight(word) for word in wanted) or 1.0
        snippets: list[tuple[float, SeedPassage]] = []
        for i, score in scores.items():
            passage = pool.passages[i]
            if answers & set(passage.sentences) and not (gold and passage == seed.passage):
                continue
            for run in _runs(passage, taken):
                heading = content_words(passage.heading)
                shares = [
                    sum(pool.index.weight(w) for w in wanted & (heading | content_words(text))) / asked
                    + rng.random() * _NOISE
                    for text in run
                ]
                at = max(range(len(run)), key=shares.__getitem__)
                snippet = SeedPassage(passage.document, passage.heading, _window(run, (at, at), rng))
                snippets.append((shares[at] + _PASSAGE_WEIGHT * score / best, snippet))
        return [snippet for _, snippet in sorted(snippets, key=lambda scored: -scored[0])]


def _gold_snippet(seed: Seed, wanted: frozenset[str], rng: random.Random) -> SeedPassage:
    """What is shown of the seed's passage: the answer, or what looks most like one, with some neighbours."""
    told = seed.passage.sentences
    shared = [len(wanted & content_words(sentence)) for sentence in told]
    kept = seed.answer or (max(range(len(told)), key=lambda i: (shared[i], -i)),)
    return SeedPassage(seed.passage.document, seed.passage.heading, _window(told, (min(kept), max(kept)), rng))


def _window(told: Sequence[str], kept: tuple[int, int], rng: random.Random) -> tuple[str, ...]:
    """One to three consecutive sentences that hold ``kept``, first to last (more only where these span more)."""
    first, last = kept
    target = rng.choices((1, 2, 3), _WINDOWS)[0]
    while last - first + 1 < target:
        before, after = first > 0, last + 1 < len(told)
        if not (before or after):
            break
        earlier = before and (not after or rng.random() < 0.5)
        grown = (first - 1, last) if earlier else (first, last + 1)
        if _size(told[grown[0] : grown[1] + 1]) > _MAX_SNIPPET_WORDS:
            break
        first, last = grown
    return tuple(told[first : last + 1])


def _runs(passage: SeedPassage, taken: set[str]) -> Iterable[tuple[str, ...]]:
    """The unbroken runs of sentences that are not shown yet."""
    run: list[str] = []
    for sentence in passage.sentences:
        if sentence in taken:
            if run:
                yield tuple(run)
            run = []
        else:
            run.append(sentence)
    if run:
        yield tuple(run)


def _affordable(snippets: Sequence[SeedPassage], budget: int, always_one: bool) -> list[SeedPassage]:
    """The best snippets that fit into ``budget`` words together."""
    kept: list[SeedPassage] = []
    for snippet in snippets:
        size = _size(snippet.sentences)
        if size > budget and (kept or not always_one):
            continue
        budget -= size
        kept.append(snippet)
    return kept


def _size(told: Iterable[str]) -> int:
    return sum(len(sentence.split()) for sentence in told)


def _bucket(text: str, parts: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % parts


def save_examples(path: Path, examples: Iterable[GroundedExample]) -> None:
    """One JSON object a line, with the prompt and the target as text too, to look at and to evaluate on."""
    with path.open("w", encoding="utf-8") as out:
        for e in examples:
            record = {**asdict(e), "prompt": e.prompt(), "target": e.target()}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_examples(path: Path) -> list[GroundedExample]:
    """What ``save_examples`` wrote."""
    with path.open(encoding="utf-8") as lines:
        return [_as_example(json.loads(line)) for line in lines]


def _as_example(row: dict[str, Any]) -> GroundedExample:
    return GroundedExample(
        row["source"],
        row["document"],
        row["question"],
        tuple(Evidence(**piece) for piece in row["evidence"]),
        tuple(MarkedSentence(told["text"], tuple(told["marks"])) for told in row["answer"]),
        tuple(row["log_odds"]),
    )
