"""Grounded examples from a company's questions, with the evidence that the product itself would show for each."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from domain.documents import ScoredPassage, StoredPassage
from domain.errors import InvalidInput
from domain.protocols import ProgressListener
from domain.text import sentence_spans, sentences
from generator.augmentation import vary_question
from generator.dataset import GroundedExample, save_examples
from generator.evidence import BARE_REPLY, MAX_SNIPPETS, Snippet, heading_of
from generator.prompt import Evidence, MarkedSentence
from generator.train.choices import as_choice, pack_choices
from generator.train.company_questions import CompanyQuestion, Side

# The snippets that a turn would show for a question, best first.
FindEvidence = Callable[[str], Sequence[Snippet]]

_Weighed = tuple[Evidence, float]  # with its log-odds
_NOT_FOUND = -math.inf  # for the log-odds of what the search did not bring
_INSERTED = 0.7  # of the cases in which the search missed the right passage; the others teach declining
_SHUFFLED = 0.25  # else the place alone would tell: questions made from a passage find it first


@dataclass(frozen=True, slots=True)
class Shown:
    """A question with its evidence as found."""

    question: CompanyQuestion
    snippets: tuple[Snippet, ...]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(snippet.shown() for snippet in self.snippets)


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """``examples`` and ``questions`` by side and kind; ``too_long`` examples did not fit into the context, ``unusable``
    ones are no choice among what is shown.

    ``sha256`` is over the text of every example, in order.
    """

    questions: dict[str, dict[str, int]]
    examples: dict[str, int]
    refusals: int
    too_long: int
    unusable: int
    sha256: str


def show(
    questions: Sequence[CompanyQuestion], find: FindEvidence, progress: ProgressListener | None = None
) -> list[Shown]:
    """Search once for each question, as a turn would; its variants share what was found."""
    known: dict[str, tuple[Snippet, ...]] = {}
    found: list[Shown] = []
    for done, question in enumerate(questions, start=1):
        if question.question not in known:
            known[question.question] = tuple(find(question.question))
        found.append(Shown(question, known[question.question]))
        if progress:
            progress(done, len(questions))
    return found


def make_examples(
    shown: Sequence[Shown], n: int, refusal_share: float, rng: random.Random, *, vary: bool = True
) -> list[GroundedExample]:
    """``n`` examples: every question in turn, each time worded anew."""
    order = list(shown)
    examples: list[GroundedExample] = []
    while order and len(examples) < n:
        rng.shuffle(order)
        examples += [make_example(one, refusal_share, rng, vary=vary) for one in order[: n - len(examples)]]
    return examples


def make_example(shown: Shown, refusal_share: float, rng: random.Random, *, vary: bool = True) -> GroundedExample:
    """The right sentences among what was found; sometimes without them, and then declining is right."""
    question = shown.question
    weighed = [(snippet.shown(), snippet.log_odds) for snippet in shown.snippets]
    if rng.random() < refusal_share:
        weighed = _without_passage(shown)
    elif not any(rightly_said(piece, question.gold) for piece, _ in weighed):
        weighed = _mended(shown, rng)
    if rng.random() < _SHUFFLED:
        rng.shuffle(weighed)
    evidence = tuple(piece for piece, _ in weighed)
    log_odds = tuple(odds for _, odds in weighed)
    asked = vary_question(question.question, rng) if vary else question.question
    return GroundedExample(
        source=question.kind,
        document=min(question.groups, default=""),
        question=asked,
        evidence=evidence,
        answer=right_answer(question.gold, evidence),
        log_odds=() if _NOT_FOUND in log_odds else log_odds,
    )


def _without_passage(shown: Shown) -> list[_Weighed]:
    """Nothing that says a gold sentence, and nothing else of the passage: its other sentences may answer as well."""
    return [
        (snippet.shown(), snippet.log_odds)
        for snippet in shown.snippets
        if not _is_own(snippet, shown.question) and not rightly_said(snippet.shown(), shown.question.gold)
    ]


def _mended(shown: Shown, rng: random.Random) -> list[_Weighed]:
    """Where the search missed the right sentences: mostly with them put in, else without their passage."""
    right = _right_evidence(shown.question, rng)
    if right is None or rng.random() > _INSERTED:
        return _without_passage(shown)
    others = _without_passage(shown)[: MAX_SNIPPETS - 1]
    others.insert(rng.randint(0, len(others)), (right, _NOT_FOUND))
    return others


def _is_own(snippet: Snippet, question: CompanyQuestion) -> bool:
    return question.passage is not None and snippet.hit.passage.passage_id == question.passage.passage.passage_id


def right_answer(gold: Sequence[str], evidence: Sequence[Evidence]) -> tuple[MarkedSentence, ...]:
    """For each gold sentence the first shown one that says it; empty when none is shown."""
    found: dict[str, int] = {}
    for wanted in gold:
        for n, piece in enumerate(evidence, start=1):
            said = [text for text in rightly_said(piece, (wanted,)) if text not in found]
            if said:
                found.update(dict.fromkeys(said, n))
                break
    return tuple(MarkedSentence(text, (n,)) for text, n in found.items())


def rightly_said(piece: Evidence, gold: Sequence[str]) -> list[str]:
    """The sentences of a piece of evidence that say one of the gold ones; a bare "Yes." says nothing."""
    told = [text for text in sentences(piece.text) if not BARE_REPLY.match(text)]
    return [text for text in told if says(text, gold)]


def says(text: str, gold: Sequence[str]) -> bool:
    """True when ``text`` holds a gold sentence or is part of one.

    Stricter than ``metrics.quote_is_right``: two rows of one table share most of their words.
    """
    plain = _plain(text)
    return any(_plain(wanted) in plain or plain in _plain(wanted) for wanted in gold)


def _plain(text: str) -> str:
    """Whole words between spaces, so that ``1`` is no part of ``11``."""
    return f" {' '.join(word.strip('.,;:!?') for word in text.lower().split())} "


def write_dataset(
    folder: Path,
    sides: dict[Side, list[GroundedExample]],
    questions: dict[Side, list[CompanyQuestion]],
    tokenizer: PreTrainedTokenizerBase,
    context: int,
) -> DatasetFacts:
    """What the training loop reads, the same as text to look at, and ``dataset.json``, written last.

    Raises:
        InvalidInput: most examples cannot be used, or a side has none; no ``dataset.json`` is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    too_long = unusable = 0
    packed_rows: dict[Side, int] = {}
    digest = hashlib.sha256()
    for side, examples in sides.items():
        choices = [example for example in examples if as_choice(example, tokenizer) is not None]
        packed = pack_choices(choices, tokenizer, context)
        too_long += len(choices) - len(packed)
        unusable += len(examples) - len(choices)
        packed_rows[side] = len(packed)
        packed.save(folder / f"{side.value}.npz")
        save_examples(folder / f"{side.value}.jsonl", examples)
        digest.update((folder / f"{side.value}.jsonl").read_bytes())
    facts = DatasetFacts(
        questions={side.value: dict(Counter(q.kind for q in asked)) for side, asked in questions.items()},
        examples={side.value: len(examples) for side, examples in sides.items()},
        refusals=sum(not example.answer for example in sides[Side.TRAINING]),
        too_long=too_long,
        unusable=unusable,
        sha256=digest.hexdigest(),
    )
    made = sum(facts.examples.values())
    if too_long > made // 2:
        raise InvalidInput(
            f"{too_long} of {made} examples are longer than the model's context of {context} tokens.",
            "Start from a model with a longer context, or lower ANSWERDESK_GENERATOR__EVIDENCE_WORDS.",
        )
    empty = [side.value for side, rows in packed_rows.items() if not rows]
    if unusable > made // 2 or empty:
        raise InvalidInput(
            f"{unusable} of {made} examples are no choice among what was found, and {too_long} are too long"
            + (f"; none is left for {' and '.join(empty)}." if empty else "."),
            "Add FAQ entries or documents. If there are enough, the start's tokenizer may be none of GPT-2's kind.",
        )
    partial = folder / "dataset.partial"
    partial.write_text(json.dumps(asdict(facts), indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / "dataset.json")
    return facts


def read_facts(folder: Path) -> DatasetFacts | None:
    """None when no complete dataset lies there."""
    path = folder / "dataset.json"
    return DatasetFacts(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _right_evidence(question: CompanyQuestion, rng: random.Random) -> Evidence | None:
    """The gold sentences with a neighbour or two, as a snippet would show them; None for a question without passage."""
    if question.passage is None:
        return None
    passage = question.passage.passage
    for part in passage.parts:
        text = passage.text[part.start : part.end]
        spans = sentence_spans(text)
        right = [i for i, s in enumerate(spans) if says(s.of(text), question.gold)]
        if right:
            first, last = max(0, right[0] - rng.randint(0, 1)), min(len(spans) - 1, right[-1] + rng.randint(0, 1))
            return Evidence(text[spans[first].start : spans[last].end], _heading(question.passage, part.start))
    return None


def _heading(stored: StoredPassage, place: int = 0) -> str:
    return heading_of(ScoredPassage(stored, 0.0, None, None), place)
