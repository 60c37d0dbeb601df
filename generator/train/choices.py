"""Examples as the choices that composing makes.

``generator.composition`` composes by choosing: every sentence of the evidence is a candidate, judged by the summed
log-likelihood of its opening words; beside them stands ``[0]``. Training goes on, with what is said next and the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from domain.text import Span, sentence_spans
from generator.dataset import GroundedExample
from generator.prompt import Evidence, MarkedSentence, render_answer, render_prompt

_MAX_MARK = 9
_MARK_TOKENS = 4  # of " [n]", rounded up
OPENING_WORDS = 8  # as in generator.composition


@dataclass(frozen=True)
class Choice:
    """A prompt's tokens, its evidence's sentences as ``(start, end, mark)`` in them, and which were said, in order.

    A candidate is its tokens in the prompt, which begin with the space before the sentence, and the mark. ``log_odds``
    are those of each piece of evidence, as the product weighed it; empty where it did not.
    """

    prompt: Sequence[int]
    sentences: Sequence[tuple[int, int, int]]
    said: Sequence[int]
    log_odds: Sequence[float] = ()


@dataclass(frozen=True)
class Vocabulary:
    """What to know of the tokens: ``marks[n]`` writes `` [n]``, of which ``[0]`` declines; ``end`` ends the text;
    ``begins_word[token]`` where it starts with a space."""

    marks: Sequence[Sequence[int]]
    end: int
    begins_word: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        marks = [tokenizer.encode(f" [{n}]") for n in range(_MAX_MARK + 1)]
        texts = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        return cls(marks, int(tokenizer.eos_token_id), np.array([text.startswith("Ġ") for text in texts]))

    def opening(self, sentence: Sequence[int]) -> int:
        """How many tokens of the sentence are its opening words."""
        begins = np.flatnonzero(self.begins_word[np.asarray(sentence)])
        return int(begins[OPENING_WORDS]) if len(begins) > OPENING_WORDS else len(sentence)


def as_choice(example: GroundedExample, tokenizer: PreTrainedTokenizerBase) -> Choice | None:
    """None when the answer is not made of the evidence's sentences, as a person's wording is not, or none is shown."""
    prompt = example.prompt()
    encoded = tokenizer(prompt, return_offsets_mapping=True)
    starts = {start: i for i, (start, _) in enumerate(encoded["offset_mapping"])}
    ends = {end: i + 1 for i, (_, end) in enumerate(encoded["offset_mapping"])}
    found: list[tuple[int, int, int]] = []
    texts: list[tuple[str, int]] = []
    for span, mark in evidence_sentences(prompt, example.evidence):
        if span.start - 1 not in starts or span.end not in ends:
            return None
        found.append((starts[span.start - 1], ends[span.end], mark))
        texts.append((span.of(prompt), mark))
    said: list[int] = []
    for sentence in example.answer:
        at = _place(sentence, texts)
        if at is None:
            return None
        said += [at] if at not in said else []
    return Choice(encoded["input_ids"], found, sorted(said), example.log_odds) if found else None


def evidence_sentences(prompt: str, evidence: Sequence[Evidence]) -> list[tuple[Span, int]]:
    """Where each sentence of the evidence stands in the rendered prompt, with its mark; headings are no sentences."""
    question_line, *lines = prompt.split("\n")
    found: list[tuple[Span, int]] = []
    at = len(question_line) + 1
    for mark, (line, piece) in enumerate(zip(lines, evidence, strict=False), start=1):
        bare = render_prompt("", [Evidence(piece.text)]).split("\n")[1].removeprefix("[1] ")
        begin = at + len(line) - len(bare)
        found += [(Span(begin + s.start, begin + s.end), mark) for s in sentence_spans(bare)]
        at += len(line) + 1
    return found


def as_shown(sentence: MarkedSentence) -> str:
    """Its text as a prompt has it: on one line, without square brackets."""
    return render_answer([MarkedSentence(sentence.text, ())]).strip()


def _place(sentence: MarkedSentence, texts: Sequence[tuple[str, int]]) -> int | None:
    wanted = as_shown(sentence)
    alike = [i for i, (text, mark) in enumerate(texts) if mark in sentence.marks and (text in wanted or wanted in text)]
    return max(alike, key=lambda i: len(texts[i][0]), default=None)


@dataclass(frozen=True)
class PackedChoices:
    """Choices on disk: flat arrays, each row's part found by its ``starts``."""

    tokens: npt.NDArray[np.uint16]
    token_starts: npt.NDArray[np.int64]
    sentences: npt.NDArray[np.int16]  # (n, 3)
    sentence_starts: npt.NDArray[np.int64]
    said: npt.NDArray[np.int16]
    said_starts: npt.NDArray[np.int64]
    log_odds: npt.NDArray[np.float32]
    log_odds_starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, choices: Sequence[Choice]) -> PackedChoices:
        def starts(sizes: Iterable[int]) -> npt.NDArray[np.int64]:
            return np.concatenate([[0], np.cumsum(np.fromiter(sizes, np.int64, len(choices)))])

        return cls(
            np.array([t for c in choices for t in c.prompt], np.uint16),
            starts(len(c.prompt) for c in choices),
            np.array([s for c in choices for s in c.sentences], np.int16).reshape(-1, 3),
            starts(len(c.sentences) for c in choices),
            np.array([i for c in choices for i in c.said], np.int16),
            starts(len(c.said) for c in choices),
            np.array([odds for c in choices for odds in c.log_odds], np.float32),
            starts(len(c.log_odds) for c in choices),
        )

    @classmethod
    def joined(cls, parts: Sequence[PackedChoices]) -> PackedChoices:
        """One after another."""

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([getattr(part, name) for part in parts])

        def starts(name: str) -> npt.NDArray[Any]:
            sizes = np.concatenate([np.diff(getattr(part, name)) for part in parts])
            return np.concatenate([[0], np.cumsum(sizes)])

        names = cls.__dataclass_fields__
        return cls(**{name: starts(name) if name.endswith("_starts") else joined(name) for name in names})

    @classmethod
    def load(cls, path: Path) -> PackedChoices:
        with np.load(path) as stored:
            return cls(**{name: stored[name] for name in cls.__dataclass_fields__})

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **{name: getattr(self, name) for name in self.__dataclass_fields__})

    def __len__(self) -> int:
        return len(self.token_starts) - 1

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for name in self.__dataclass_fields__:
            digest.update(getattr(self, name).tobytes())
        return digest.hexdigest()

    def __getitem__(self, i: int) -> Choice:
        def part(values: npt.NDArray[np.generic], starts: npt.NDArray[np.int64]) -> Any:
            return values[starts[i] : starts[i + 1]].tolist()

        return Choice(
            part(self.tokens, self.token_starts),
            part(self.sentences, self.sentence_starts),
            part(self.said, self.said_starts),
            part(self.log_odds, self.log_odds_starts),
        )


def pack_choices(
    examples: Iterable[GroundedExample], tokenizer: PreTrainedTokenizerBase, context: int
) -> PackedChoices:
    """The examples whose answers are choices, as far as the prompt and the said sentences fit into the context."""
    found = (as_choice(example, tokenizer) for example in examples)
    return PackedChoices.of([c for c in found if c is not None and _longest_branch(c) <= context])


def _longest_branch(choice: Choice) -> int:
    sizes = [end - start + _MARK_TOKENS for start, end, _ in choice.sentences]
    return len(choice.prompt) + sum(sizes[i] for i in choice.said) + max(sizes, default=_MARK_TOKENS)
