"""Trains the reader: ``python -m retriever.reading.train RECIPE.toml``.

Reads what ``generator.train.reading`` writes. All sentences of a question's passages, and the choice that none answers,
share one softmax (shared normalisation, Clark and Gardner 2018, https://arxiv.org/abs/1710.10723), so scores mean the
same in every passage; each sentence is judged by itself besides, so that neighbours can answer together. A checkpoint
is written every few minutes, and a run that was killed goes on from the last one.
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from domain.text import Span
from retriever.embedder import bundled_model_path, use_one_core
from retriever.reading.network import WEIGHTS_FILE, ReaderModel, ReadPair, load_reader
from retriever.reading.text import ReaderTokenizer

logger = logging.getLogger(__name__)
_STATE_FILE = "state.pt"
_LOG_EVERY = 20


class ReaderRecipe(BaseModel):
    """Paths are relative to the folder the command is run in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    folder: Path
    start: Path | None = None  # a folder with trained weights to go on from
    repeat: dict[str, int] = {}  # source -> how often its questions are seen in an epoch
    keep: dict[str, int] = {}  # source -> at most so many of its questions in an epoch
    epochs: int = 1
    batch: int = 12  # questions
    rate: float = 1.2e-4  # of MiniLM's upper layers
    head_rate: float = 1e-3
    warm_up: float = 0.06
    closed: float = -3.0  # nats; the gate at the first step, none from the share ``opening`` of the steps on
    opening: float = 0.2
    each_weight: float = 1.0  # of judging each sentence by itself
    threads: int = 0
    seed: int = 1
    checkpoint_seconds: int = 240


class Asked:
    """A question of the data as tokens: its pairs, and for each the sentences that answer."""

    def __init__(self, row: Mapping[str, Any], tokenizer: ReaderTokenizer) -> None:
        question = tokenizer.question(row["question"], row["context"])
        self.source: str = row["source"]
        self.pairs: list[ReadPair] = []
        self.gold: list[Tensor] = []
        for passage in row["passages"]:
            spans = [Span(*span) for span in passage["sentences"]]
            pair = tokenizer.pair(question, passage["lead"], passage["text"], spans)
            gold = torch.zeros(pair.sentences)
            gold[passage["answers"]] = 1.0
            self.pairs.append(pair)
            self.gold.append(gold)

    @property
    def is_answerable(self) -> bool:
        return any(bool(gold.any()) for gold in self.gold)


def loss_of(scores: Tensor, gold: Tensor, each_weight: float) -> Tensor:
    """Of one question. ``scores`` and ``gold``: (sentences of all its passages,)."""
    everything = torch.cat([scores, scores.new_zeros(1)])  # the last is that none answers
    right = torch.cat([gold > 0, torch.tensor([not bool(gold.any())])])
    together = torch.logsumexp(everything, 0) - torch.logsumexp(everything[right], 0)
    each = functional.binary_cross_entropy_with_logits(scores, gold)
    return together + each_weight * each


def main(recipe_path: Path) -> None:
    recipe = ReaderRecipe.model_validate(tomllib.loads(recipe_path.read_text(encoding="utf-8")))
    torch.manual_seed(recipe.seed)
    recipe.folder.mkdir(parents=True, exist_ok=True)
    (recipe.folder / "recipe.json").write_text(recipe.model_dump_json(indent=1), encoding="utf-8")
    model = load_reader(recipe.start)
    tokenizer = ReaderTokenizer(bundled_model_path() / "tokenizer.json")
    rows = _epoch_rows(recipe)
    validation = [Asked(row, tokenizer) for row in _read(recipe.data / "validation.jsonl")]
    _train(recipe, model, tokenizer, rows, validation)
    save_file({n: w.contiguous() for n, w in model.trained().items()}, recipe.folder / WEIGHTS_FILE)
    figures = evaluate(model, validation)
    (recipe.folder / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    logger.info("%s", json.dumps(figures))


def _train(
    recipe: ReaderRecipe,
    model: ReaderModel,
    tokenizer: ReaderTokenizer,
    rows: Sequence[Mapping[str, Any]],
    validation: Sequence[Asked],
) -> None:
    head = [p for n, p in model.named_parameters() if p.requires_grad and not n.startswith("upper")]
    groups = [
        {"params": [p for n, p in model.named_parameters() if n.startswith("upper")], "lr": recipe.rate},
        {"params": head, "lr": recipe.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
    n_steps = len(rows) // recipe.batch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, n_steps, recipe.warm_up))
    first = _resume(recipe.folder, model, optimizer, schedule)
    pool = ThreadPoolExecutor(recipe.threads or os.cpu_count() or 1, initializer=use_one_core)
    writer = SummaryWriter(str(recipe.folder / "curve"))
    logger.info("%d steps of %d questions, from step %d", n_steps, recipe.batch, first)
    model.train()
    saved, began, tokens, losses = time.monotonic(), time.monotonic(), 0, []
    for step in range(first, n_steps):
        batch = [Asked(row, tokenizer) for row in rows[step * recipe.batch : (step + 1) * recipe.batch]]
        gate = recipe.closed * max(0.0, 1.0 - step / (recipe.opening * n_steps))
        loss = _backward(model, batch, recipe.each_weight, gate, pool)
        if not math.isfinite(loss):
            raise FloatingPointError(f"The loss is {loss} at step {step}; the last checkpoint is kept.")
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss)
        tokens += sum(len(pair.question) + len(pair.passage) for one in batch for pair in one.pairs)
        if (step + 1) % _LOG_EVERY == 0:
            mean = sum(losses[-_LOG_EVERY:]) / _LOG_EVERY
            writer.add_scalar("loss", mean, step + 1)
            speed = tokens / (time.monotonic() - began)
            logger.info("step %d of %d: loss %.3f, %d tokens/s", step + 1, n_steps, mean, speed)
        if time.monotonic() - saved > recipe.checkpoint_seconds:
            _save(recipe.folder, step + 1, model, optimizer, schedule)
            logger.info("checkpoint at step %d: %s", step + 1, json.dumps(evaluate(model, validation[:400])))
            saved = time.monotonic()
    writer.close()


def _backward(
    model: ReaderModel, batch: Sequence[Asked], each_weight: float, gate: float, pool: ThreadPoolExecutor
) -> float:
    """Sets the gradients and returns the loss. A core for each share of the batch: half as fast again as sharing each
    step of the arithmetic."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]

    def share(some: Sequence[Asked]) -> tuple[float, Sequence[Tensor]]:
        loss = batch_loss(model, some, each_weight, gate) * (len(some) / len(batch))
        return float(loss.detach()), torch.autograd.grad(loss, trained)

    cores = pool._max_workers
    found = list(pool.map(share, filter(None, (batch[i::cores] for i in range(cores)))))
    for weight, *parts in zip(trained, *(gradients for _, gradients in found), strict=True):
        weight.grad = torch.stack(parts).sum(0)
    return sum(loss for loss, _ in found)


def batch_loss(model: ReaderModel, batch: Sequence[Asked], each_weight: float, gate: float = 0.0) -> Tensor:
    scores = model([pair for one in batch for pair in one.pairs], gate)
    at, losses = 0, []
    for one in batch:
        own = torch.cat(scores[at : at + len(one.pairs)])
        at += len(one.pairs)
        losses.append(loss_of(own, torch.cat(one.gold), each_weight))
    return torch.stack(losses).mean()


@torch.inference_mode()
def evaluate(model: ReaderModel, asked: Sequence[Asked], batch: int = 16) -> dict[str, dict[str, float]]:
    """By source: share of answerable questions whose best sentence answers, and how often an answerable question
    scores above one that is not (ROC AUC)."""
    was_training = model.training
    model.eval()
    right: dict[str, list[bool]] = defaultdict(list)
    odds: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for start in range(0, len(asked), batch):
        some = asked[start : start + batch]
        scores = model([pair for one in some for pair in one.pairs])
        at = 0
        for one in some:
            own = torch.cat(scores[at : at + len(one.pairs)])
            at += len(one.pairs)
            for name in (one.source, "all"):
                odds[name, one.is_answerable].append(float(torch.logsumexp(own, 0)))
                if one.is_answerable:
                    right[name].append(bool(torch.cat(one.gold)[own.argmax()] > 0))
    model.train(was_training)
    return {
        name: {
            "n": len(found),
            "right": round(sum(found) / len(found), 3),
            "auc": round(_area(odds[name, True], odds[name, False]), 3),
        }
        for name, found in sorted(right.items())
    }


def _area(above: Sequence[float], below: Sequence[float]) -> float:
    difference = torch.tensor(above)[:, None] - torch.tensor(below)[None, :]
    return float((difference > 0).float().mean()) if difference.numel() else float("nan")


def _epoch_rows(recipe: ReaderRecipe) -> list[Mapping[str, Any]]:
    rng = random.Random(recipe.seed)  # noqa: S311  # repeatable, not secret
    by_source: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in _read(recipe.data / "train.jsonl"):
        by_source[row["source"]].append(row)
    rows: list[Mapping[str, Any]] = []
    for _ in range(recipe.epochs):
        epoch = []
        for source, found in sorted(by_source.items()):
            kept = rng.sample(found, min(len(found), recipe.keep.get(source, len(found))))
            epoch += kept * recipe.repeat.get(source, 1)
        rng.shuffle(epoch)
        rows += epoch
    return rows


def _read(path: Path) -> list[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _rate(step: int, n_steps: int, warm_up: float) -> float:
    begun = (step + 1) / max(1.0, warm_up * n_steps)
    return min(1.0, begun) * max(0.02, 1.0 - step / n_steps)


def _save(folder: Path, step: int, model: ReaderModel, optimizer: Any, schedule: Any) -> None:
    """First beside the last checkpoint, then in its place: a kill leaves one or the other."""
    state = {"step": step, "model": model.trained(), "optimizer": optimizer.state_dict(), "rate": schedule.state_dict()}
    torch.save(state, folder / f"{_STATE_FILE}.part")
    (folder / f"{_STATE_FILE}.part").replace(folder / _STATE_FILE)


def _resume(folder: Path, model: ReaderModel, optimizer: Any, schedule: Any) -> int:
    if not (folder / _STATE_FILE).exists():
        return 0
    state = torch.load(folder / _STATE_FILE, weights_only=True)
    model.load_state_dict(state["model"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["rate"])
    return int(state["step"])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main(Path(sys.argv[1]))
