"""All candidates of a prompt scored in one pass: the prompt is read once, and each candidate is a branch of a tree.

A branch sees the prompt, what was said before it, and itself, at the positions it would have if it stood there alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel

from generator.train.choices import Choice, Vocabulary


@dataclass(frozen=True)
class Node:
    """A branch: what it sees, where its last token stands, and for each of its tokens what predicts it.

    The first ``opening`` of these are what the candidate is judged by. ``snippet`` is the number of the evidence that
    it is from (0: declining, or the end), whose ``log_odds`` are NaN where the product did not weigh it.
    """

    seen: tuple[tuple[int, int], ...]
    last: int
    position: int
    scored: tuple[tuple[int, int], ...] = ()  # (index of the predicting token, token)
    opening: int = 0
    snippet: int = 0
    log_odds: float = math.nan


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


@dataclass(frozen=True)
class TreeTensors:
    """Trees side by side, padded, and what of them is scored. ``branch`` (trees, length) says whose token each is."""

    tokens: Tensor  # (trees, length) int64
    positions: Tensor  # (trees, length) int64
    branch: Tensor  # (trees, length) int64; padding is the last branch
    ancestors: Tensor  # (trees, branches, branches) bool: the second is seen by the first
    rows: Tensor  # (n_tokens,) of each scored token: its tree,
    places: Tensor  # (n_tokens,) the token that predicts it,
    targets: Tensor  # (n_tokens,) and itself

    def to(self, device: torch.device) -> TreeTensors:
        return TreeTensors(
            self.tokens.to(device),
            self.positions.to(device),
            self.branch.to(device),
            self.ancestors.to(device),
            self.rows.to(device),
            self.places.to(device),
            self.targets.to(device),
        )

    def bias(self) -> Tensor:
        """(trees, 1, length, length) bfloat16, added to the attention scores."""
        n, length = self.branch.shape
        every = torch.arange(length, device=self.branch.device)
        tree = torch.arange(n, device=self.branch.device)[:, None, None]
        of, other = self.branch[:, :, None], self.branch[:, None, :]
        visible = ((of == other) & (every <= every[:, None])) | self.ancestors[tree, of, other]
        hidden = torch.finfo(torch.bfloat16).min
        return torch.zeros(visible.shape, dtype=torch.bfloat16, device=visible.device).masked_fill_(~visible, hidden)[
            :, None
        ]


def tree_tensors(trees: Sequence[Tree], nodes: Sequence[Sequence[Node]]) -> TreeTensors:
    """``nodes`` are the scored ones of each tree."""
    length = -(-max(map(len, trees)) // 8) * 8  # fused attention wants its mask aligned
    n_branches = max(len(tree.branches) for tree in trees) + 1
    tokens = np.zeros((len(trees), length), np.int64)
    positions = np.zeros((len(trees), length), np.int64)
    branch = np.full((len(trees), length), n_branches - 1, np.int64)
    ancestors = np.zeros((len(trees), n_branches, n_branches), np.bool_)
    for row, tree in enumerate(trees):
        tokens[row, : len(tree)] = tree.tokens
        positions[row, : len(tree)] = tree.positions
        of_start = {start: at for at, (start, _, _) in enumerate(tree.branches)}
        for at, (start, end, seen) in enumerate(tree.branches):
            branch[row, start:end] = at
            ancestors[row, at, [of_start[low] for low, _ in seen]] = True
    scored = [(row, i, token) for row, found in enumerate(nodes) for node in found for i, token in node.scored]
    return TreeTensors(
        torch.from_numpy(tokens),
        torch.from_numpy(positions),
        torch.from_numpy(branch),
        torch.from_numpy(ancestors),
        *torch.tensor(scored).T.contiguous(),
    )


def log_likelihoods(model: GPT2LMHeadModel, trees: Sequence[Tree], nodes: Sequence[Sequence[Node]]) -> list[Tensor]:
    """For each tree, (n_nodes,) the summed log-probability of each of its nodes' openings, in nats."""
    per_token = token_log_likelihoods(model, tree_tensors(trees, nodes).to(model.device))
    sums: list[Tensor] = []
    at = 0
    for row in nodes:
        sizes = [len(node.scored) for node in row]
        parts = torch.split(per_token[at : at + sum(sizes)], sizes)
        sums.append(torch.stack([part[: node.opening].sum() for part, node in zip(parts, row, strict=True)]))
        at += sum(sizes)
    return sums


def token_log_likelihoods(model: GPT2LMHeadModel, trees: TreeTensors) -> Tensor:
    """(n_tokens,) float32: the log-probability of every scored token, in the order given."""
    with torch.autocast(trees.tokens.device.type, torch.bfloat16):
        states = model.transformer(
            input_ids=trees.tokens, position_ids=trees.positions, attention_mask=trees.bias(), use_cache=False
        )[0]
        logits = model.lm_head(states[trees.rows, trees.places])  # (n_tokens, vocabulary)
    return -functional.cross_entropy(logits.float(), trees.targets, reduction="none")


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
            mark = choice.sentences[i][2]
            whole = [*sentences[i], *vocabulary.marks[mark]]
            node = tree.branch(state, whole if i == right else whole[:opening], opening)
            log_odds = choice.log_odds[mark - 1] if choice.log_odds else math.nan
            nodes.append(replace(node, snippet=mark, log_odds=log_odds))
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
    """Choices to be scored together. A cell is a candidate of a choice: ``choice * n_candidates + candidate``."""

    trees: TreeTensors
    sizes: Tensor  # (n_choices,) candidates of each
    right: Tensor  # (n_choices,) which of them is right
    is_first: Tensor  # (n_choices,) of its answer
    is_weighed: Tensor  # (n_choices,) bool: a first one, answered by evidence that the product weighed
    snippet: Tensor  # (n_choices, n_candidates) see ``Node``; 0 for padding,
    log_odds: Tensor  # and float32
    cells: Tensor  # (n_tokens,) of each scored token
    is_opening: Tensor  # (n_tokens,) bool: a candidate is judged by these
    is_said: Tensor  # (n_tokens,) bool: of the right candidate
    n_tokens: int  # read, without padding

    def __len__(self) -> int:
        return len(self.trees.tokens)

    def to(self, device: torch.device) -> ChoiceBatch:
        return ChoiceBatch(
            self.trees.to(device),
            self.sizes.to(device),
            self.right.to(device),
            self.is_first.to(device),
            self.is_weighed.to(device),
            self.snippet.to(device),
            self.log_odds.to(device),
            self.cells.to(device),
            self.is_opening.to(device),
            self.is_said.to(device),
            self.n_tokens,
        )


def choice_batch(made: Sequence[tuple[Tree, list[tuple[list[Node], int]]]]) -> ChoiceBatch:
    """Of trees with their steps, as ``choice_tree`` makes them."""
    choices = [(step == 0, *choice) for _, steps in made for step, choice in enumerate(steps)]
    width = max(len(found) for _, found, _ in choices)
    cells = [
        (row * width + i, place < node.opening, i == right)
        for row, (_, found, right) in enumerate(choices)
        for i, node in enumerate(found)
        for place in range(len(node.scored))
    ]
    at, is_opening, is_said = torch.tensor(cells).T.contiguous()
    padded = [[*found, *[Node((), 0, 0)] * (width - len(found))] for _, found, _ in choices]
    return ChoiceBatch(
        tree_tensors([tree for tree, _ in made], [[n for found, _ in steps for n in found] for _, steps in made]),
        torch.tensor([len(found) for _, found, _ in choices]),
        torch.tensor([right for *_, right in choices]),
        torch.tensor([is_first for is_first, *_ in choices]),
        torch.tensor([is_first and not math.isnan(found[right].log_odds) for is_first, found, right in choices]),
        torch.tensor([[node.snippet for node in row] for row in padded]),
        torch.tensor([[node.log_odds for node in row] for row in padded]),
        at,
        is_opening.bool(),
        is_said.bool(),
        sum(len(tree) for tree, _ in made),
    )


@dataclass(frozen=True)
class Scores:
    """``of`` (n_choices, n_candidates) the openings' log-likelihoods, padded by -inf; ``said`` (n_tokens,) the
    log-probabilities of the right answers' tokens."""

    of: Tensor
    said: Tensor


def batch_scores(model: GPT2LMHeadModel, batch: ChoiceBatch) -> Scores:
    """``batch`` lies on the model's device."""
    per_token = token_log_likelihoods(model, batch.trees)
    width = int(batch.sizes.max())
    sums = torch.zeros(len(batch.sizes) * width, device=per_token.device)
    sums = sums.index_add(0, batch.cells, per_token * batch.is_opening).view(-1, width)
    empty = torch.arange(width, device=per_token.device)[None, :] >= batch.sizes[:, None]
    return Scores(sums.masked_fill(empty, float("-inf")), per_token[batch.is_said])
