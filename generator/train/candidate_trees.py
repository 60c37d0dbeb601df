"""All candidates of a prompt scored in one pass: the prompt is read once, and each candidate is a branch of a tree.

A branch sees the prompt, what was said before it, and itself, at the positions it would have if it stood there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel

from generator.train.choices import Choice, Vocabulary


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


@dataclass(frozen=True)
class ChoiceBatch:
    """Trees read together; ``steps`` are each tree's choices, a choice being its candidates and which is right."""

    trees: list[Tree]
    steps: list[list[tuple[list[Node], int]]]

    @property
    def nodes(self) -> list[list[Node]]:
        return [[node for found, _ in steps for node in found] for steps in self.steps]


@dataclass(frozen=True)
class Scores:
    """``of`` (n_choices, n_candidates) the openings' log-likelihoods, padded by -inf; ``right`` (n_choices,) the column
    of the right one; ``is_first`` (n_choices,); ``said`` (n_tokens,) the log-probabilities of the right answers.
    """

    of: Tensor
    right: Tensor
    is_first: Tensor
    said: Tensor


def batch_scores(model: GPT2LMHeadModel, batch: ChoiceBatch) -> Scores:
    per_token = token_log_likelihoods(model, batch.trees, batch.nodes)
    choices = [(step == 0, *choice) for steps in batch.steps for step, choice in enumerate(steps)]
    width = max(len(found) for _, found, _ in choices)
    sizes = torch.tensor([len(found) for _, found, _ in choices])
    cells = [
        (row * width + i, i == right, place < node.opening)
        for row, (_, found, right) in enumerate(choices)
        for i, node in enumerate(found)
        for place in range(len(node.scored))
    ]
    device = per_token.device
    places = torch.tensor([cell for cell, _, is_opening in cells if is_opening], device=device)
    openings = per_token[torch.tensor([is_opening for *_, is_opening in cells], device=device)]
    sums = torch.zeros(len(choices) * width, device=device).index_add(0, places, openings).view(-1, width)
    empty = (torch.arange(width)[None, :] >= sizes[:, None]).to(device)
    return Scores(
        sums.masked_fill(empty, float("-inf")),
        torch.tensor([right for *_, right in choices], device=device),
        torch.tensor([is_first for is_first, *_ in choices], device=device),
        per_token[torch.tensor([is_right for _, is_right, _ in cells], device=device)],
    )
