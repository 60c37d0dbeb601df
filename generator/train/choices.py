"""Examples as the choices that composing makes, and trees that score all of a prompt's candidates in one pass.

``generator.composition`` composes by choosing: at each step every sentence of the evidence that may follow is a
candidate, judged by the summed log-likelihood of its opening words; beside them stands ``[0]`` at the first step, and
the end of the text later. Here the prompt is read once and each candidate is a branch that sees the prompt, what was
said before it, and itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

from domain.text import Span, sentence_spans
from generator.dataset import GroundedExample
from generator.prompt import Evidence, MarkedSentence, render_answer, render_prompt

_MAX_MARK = 9
OPENING_WORDS = 8  # as in generator.composition


@dataclass(frozen=True)
class Choice:
    """A prompt's tokens, its evidence's sentences as ``(start, end, mark)`` in them, and which were said, in order.

    A candidate is its tokens in the prompt, which begin with the space before the sentence, and the mark.
    """

    prompt: Sequence[int]
    sentences: Sequence[tuple[int, int, int]]
    said: Sequence[int]


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
    return Choice(encoded["input_ids"], found, sorted(said)) if found else None


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
        )

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
        def part(values: npt.NDArray[np.generic], starts: npt.NDArray[np.int64]) -> list[int]:
            cut: list[int] = values[starts[i] : starts[i + 1]].tolist()
            return cut

        return Choice(
            part(self.tokens, self.token_starts),
            part(self.sentences, self.sentence_starts),  # type: ignore[arg-type]  # rows of three
            part(self.said, self.said_starts),
        )


@dataclass(frozen=True)
class Node:
    """A branch: what it sees, where its last token stands, and for each of its tokens what predicts it.

    The first ``opening`` of these are what the candidate is judged by.
    """

    seen: tuple[tuple[int, int], ...]
    last: int
    position: int
    scored: tuple[tuple[int, int], ...] = ()  # (index of the predicting token, token)
    opening: int = 0


@dataclass
class Tree:
    """Tokens of a prompt and of branches, each with its position and with the ranges of tokens that it sees."""

    tokens: list[int]
    positions: list[int] = field(default_factory=list)
    branches: list[tuple[int, int, tuple[tuple[int, int], ...]]] = field(default_factory=list)

    def root(self) -> Node:
        n = len(self.tokens)
        self.positions = list(range(n))
        self.branches.append((0, n, ()))
        return Node(((0, n),), n - 1, n - 1)

    def branch(self, parent: Node, tokens: Sequence[int], opening: int | None = None) -> Node:
        start, n = len(self.tokens), len(tokens)
        self.tokens += tokens
        self.positions += range(parent.position + 1, parent.position + 1 + n)
        self.branches.append((start, start + n, parent.seen))
        predicting = (parent.last, *range(start, start + n - 1))
        scored = tuple(zip(predicting, tokens, strict=True))
        seen = (*parent.seen, (start, start + n))
        return Node(seen, start + n - 1, parent.position + n, scored, n if opening is None else opening)

    def __len__(self) -> int:
        return len(self.tokens)


def log_likelihoods(model: GPT2LMHeadModel, trees: Sequence[Tree], nodes: Sequence[Sequence[Node]]) -> list[Tensor]:
    """For each tree, (n_nodes,) the summed log-probability of each of its nodes' openings, in nats."""
    per_token = token_log_likelihoods(model, trees, nodes)
    sums: list[Tensor] = []
    at = 0
    for row in nodes:
        sizes = [len(node.scored) for node in row]
        parts = torch.split(per_token[at : at + sum(sizes)], sizes)
        sums.append(torch.stack([part[: node.opening].sum() for part, node in zip(parts, row, strict=True)]))
        at += sum(sizes)
    return sums


def token_log_likelihoods(model: GPT2LMHeadModel, trees: Sequence[Tree], nodes: Sequence[Sequence[Node]]) -> Tensor:
    """(n_tokens,) float32: the log-probability of every token of every node, in the order given."""
    device = model.device
    length = max(map(len, trees))
    tokens = torch.zeros(len(trees), length, dtype=torch.long)
    positions = torch.zeros(len(trees), length, dtype=torch.long)
    visible = torch.zeros(len(trees), 1, length, length, dtype=torch.bool)
    visible[:, 0].diagonal(dim1=1, dim2=2).fill_(True)  # padding sees itself: a softmax over nothing is no number
    for row, tree in enumerate(trees):
        tokens[row, : len(tree)] = torch.tensor(tree.tokens)
        positions[row, : len(tree)] = torch.tensor(tree.positions)
        for start, end, seen in tree.branches:
            visible[row, 0, start:end, start:end] = torch.ones(end - start, end - start, dtype=torch.bool).tril()
            for low, high in seen:
                visible[row, 0, start:end, low:high] = True
    lowest = torch.finfo(torch.bfloat16).min
    bias = torch.zeros(visible.shape, dtype=torch.bfloat16).masked_fill_(~visible, lowest).to(device)
    rows = torch.tensor([row for row, found in enumerate(nodes) for node in found for _ in node.scored])
    places = torch.tensor([i for found in nodes for node in found for i, _ in node.scored])
    targets = torch.tensor([t for found in nodes for node in found for _, t in node.scored], device=device)
    with torch.autocast(device.type, torch.bfloat16):
        states = model.transformer(
            input_ids=tokens.to(device), position_ids=positions.to(device), attention_mask=bias, use_cache=False
        )[0]
        logits = model.lm_head(states[rows.to(device), places.to(device)])  # (n_tokens, vocabulary)
    return -functional.cross_entropy(logits.float(), targets, reduction="none")


def choice_tree(
    choice: Choice, vocabulary: Vocabulary, few: np.random.Generator | None = None
) -> tuple[Tree, list[tuple[list[Node], int]]]:
    """The tree of an example's choices along its right answer: for each step its candidates, and which one is right.

    Args:
        few: where given, steps after the first have only three drawn sentences beside the right one and the end, which
            is most of the saying again for a fraction of the reading.
    """
    tree = Tree(list(choice.prompt))
    state = tree.root()
    sentences = [choice.prompt[start:end] for start, end, _ in choice.sentences]
    steps: list[tuple[list[Node], int]] = []
    for step, right in enumerate([*choice.said, None]):
        others = [i for i in range(len(sentences)) if _may_follow(i, choice.said[:step], choice)]
        if step and few is not None and len(others) > 4:
            drawn = few.choice(others, 3, replace=False).tolist()
            others = list(dict.fromkeys([*drawn, *([right] if right is not None else [])]))
        nodes: list[Node] = []
        for i in others:
            opening = vocabulary.opening(sentences[i])
            whole = [*sentences[i], *vocabulary.marks[choice.sentences[i][2]]]
            nodes.append(tree.branch(state, whole if i == right else whole[:opening], opening))
        nodes.append(tree.branch(state, [vocabulary.end] if step else vocabulary.marks[0]))
        at = others.index(right) if right is not None else len(others)
        steps.append((nodes, at))
        state = nodes[at]
    return tree, steps


def _may_follow(i: int, said: Sequence[int], choice: Choice) -> bool:
    """Not said yet, and not before something said of the same snippet."""
    return not any(i == j or (i < j and choice.sentences[i][2] == choice.sentences[j][2]) for j in said)
