"""Choosing as it is used, on unseen documents: ``python -m generator.train.evaluate FOLDER EXAMPLES.jsonl``.

As it is trained, sentence after sentence, without the evidence's bias: at each step the sentences that may follow and
the end are candidates, and the one with the likeliest opening is taken; ``[0]`` is left out, and its margin over
the best first sentence is judged apart. Gold answers come from the data sets: a right sentence that the data set did
not choose counts as wrong. Two baselines need no model: the first sentence of ``[1]``, and the whole of ``[1]``.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

from generator.dataset import GroundedExample, read_examples
from generator.metrics import roc_auc, token_f1
from generator.prompt import REFUSAL
from generator.train.candidate_trees import Tree, log_likelihoods
from generator.train.choices import OPENING_WORDS, as_shown, evidence_sentences
from generator.train.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)
_MAX_SENTENCES = 4


@dataclass(frozen=True)
class Composed:
    """``said`` are the sentences as (text, mark); ``margin``: nats by which ``[0]`` is likelier than the best first."""

    said: tuple[tuple[str, int], ...]
    margin: float


@dataclass(frozen=True)
class Figures:
    """``first``: share of answerable examples whose first sentence is one of the gold ones; ``right_mark``: whose first
    mark is; ``f1``: token F1 with the gold answer over answerable examples; ``exact``: the gold sentences and no other.

    The refusal columns: with the margin from which as many are declined as are unanswerable, the precision (which is
    then also the recall), and the area under the curve of the margin.
    """

    examples: int
    answerable: int
    first: float
    right_mark: float
    f1: float
    exact: float
    refusal: float
    refusal_area: float


def evaluate(model: Path, examples: Path, limit: int | None = None) -> dict[str, dict[str, Figures]]:
    """Figures over all examples (``"all"``) and for each source: of the model and of the two baselines."""
    read = read_examples(examples)[:limit]
    tokenizer = load_tokenizer(model)
    network = GPT2LMHeadModel.from_pretrained(str(model), dtype=torch.float32, attn_implementation="eager").eval()
    shown = [shown_sentences(example) for example in read]
    composed = {
        "model": [compose(network, tokenizer, e.prompt(), s) for e, s in zip(read, shown, strict=True)],
        "first sentence of [1]": [Composed(tuple(s[:1]), 0.0) for s in shown],
        "whole of [1]": [Composed(tuple(part for part in s if part[1] == 1), 0.0) for s in shown],
    }
    found: dict[str, dict[str, Figures]] = {}
    for source in ["all", *sorted({example.source for example in read})]:
        at = [i for i, example in enumerate(read) if source in ("all", example.source)]
        found[source] = {name: figures([read[i] for i in at], [made[i] for i in at]) for name, made in composed.items()}
    return found


def shown_sentences(example: GroundedExample) -> list[tuple[str, int]]:
    """The evidence's sentences in the order they are shown, each with its mark."""
    prompt = example.prompt()
    return [(span.of(prompt), mark) for span, mark in evidence_sentences(prompt, example.evidence)]


@torch.no_grad()
def compose(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase, prompt: str, sentences: Sequence[tuple[str, int]]
) -> Composed:
    """Greedy over the sentences and the end; what does not fit into the context ends the answer."""
    end = [int(tokenizer.eos_token_id)]
    openings = [tokenizer.encode(" " + " ".join(text.split()[:OPENING_WORDS])) for text, _ in sentences]
    prompt_tokens = tokenizer.encode(prompt)
    left = list(range(len(sentences)))
    said: list[int] = []
    margin = float("inf")  # nothing shown: nothing can be said
    while left and len(said) < _MAX_SENTENCES:
        told = "".join(f" {text} [{mark}]" for text, mark in (sentences[i] for i in said))
        tree = Tree(prompt_tokens + tokenizer.encode(told))
        if len(tree) + max(map(len, openings)) > model.config.n_positions:
            break
        root = tree.root()
        other = end if said else tokenizer.encode(f" {REFUSAL}")
        nodes = [tree.branch(root, tokens) for tokens in (*(openings[i] for i in left), other)]
        (scores,) = log_likelihoods(model, [tree], [nodes])
        best = int(scores[:-1].argmax())
        if not said:
            margin = float(scores[-1] - scores[best])
        elif scores[-1] >= scores[best]:
            break
        said.append(left[best])
        last = said[-1]
        left = [i for i in left if i != last and (i > last or sentences[i][1] != sentences[last][1])]
    return Composed(tuple(sentences[i] for i in said), margin)


def figures(examples: Sequence[GroundedExample], composed: Sequence[Composed]) -> Figures:
    """Compare what was composed with the gold answers; see ``Figures``."""
    answerable = [(e, c) for e, c in zip(examples, composed, strict=True) if e.answer]
    unanswerable = [c.margin for e, c in zip(examples, composed, strict=True) if not e.answer]
    hits: Counter[str] = Counter()
    f1 = 0.0
    for example, made in answerable:
        gold = [(as_shown(told), told.marks[0]) for told in example.answer]
        hits["first"] += bool(made.said) and made.said[0] in gold
        hits["right_mark"] += bool(made.said) and made.said[0][1] == gold[0][1]
        hits["exact"] += list(made.said) == gold
        f1 += token_f1(" ".join(text for text, _ in made.said), " ".join(text for text, _ in gold))
    n = max(1, len(answerable))
    margins = [made.margin for _, made in answerable]
    return Figures(
        examples=len(examples),
        answerable=len(answerable),
        first=round(hits["first"] / n, 4),
        right_mark=round(hits["right_mark"] / n, 4),
        f1=round(f1 / n, 4),
        exact=round(hits["exact"] / n, 4),
        refusal=_precision_at_recall(unanswerable, margins),
        refusal_area=round(roc_auc(unanswerable, margins), 4),
    )


def _precision_at_recall(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The share of positives among the ``len(positive)`` greatest, where precision and recall are the same."""
    ranked = sorted([(-value, False) for value in negative] + [(-value, True) for value in positive])
    found = sum(is_positive for _, is_positive in ranked[: len(positive)])
    return round(found / len(positive), 4) if positive else 0.0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    measured = evaluate(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
    for source, by_name in measured.items():
        for name, values in by_name.items():
            logger.info("%s | %s %s", source, name, json.dumps(asdict(values)))
