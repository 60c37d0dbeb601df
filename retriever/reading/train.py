"""Trains the reader: ``python -m retriever.reading.train RECIPE.toml``.

Reads what ``generator.train.reading`` and ``benchmarks.reading_examples`` write. All sentences of a question's
passages, and the choice that none answers, share one softmax (shared normalisation, Clark and Gardner 2018,
https://arxiv.org/abs/1710.10723), so scores mean the same in every passage; each sentence is judged by itself besides,
so that neighbours can answer together. It runs on a GPU where there is one. A checkpoint is written every few minutes,
and a run that was killed goes on from the last one.
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import re
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

from domain.text import Span
from retriever.embedder import bundled_model_path, use_one_core
from retriever.reading.network import (
    SIDE_BY_SIDE,
    WEIGHTS_FILE,
    PaddedPairs,
    ReaderModel,
    ReadPair,
    grouped,
    load_reader,
)
from retriever.reading.text import ReaderTokenizer

logger = logging.getLogger(__name__)
_STATE_FILE = "state.pt"
_LOG_EVERY = 20
_LEAST = -1e4  # log-odds of what is only padding


class ReaderRecipe(BaseModel):
    """Paths are relative to the folder the command is run in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    folder: Path
    start: Path | None = None  # a folder with trained weights to go on from
    start_share: float = 0.0  # of these weights in what is written: a mean forgets less (docs/reader.md)
    dropout: float = 0.0  # on a CPU it more than doubles the time of a step
    repeat: dict[str, int] = {}  # source -> how often its questions are seen in an epoch
    keep: dict[str, int] = {}  # source -> at most so many of its questions in an epoch
    whole_pages: tuple[str, ...] = ()  # kept besides, as "quillmere-pens"
    epochs: int = 1
    minutes: float | None = None  # the rate falls by the clock as well, and the run ends when the time is up
    batch: int = 12  # questions
    rate: float = 1.2e-4  # of MiniLM's layers
    head_rate: float = 1e-3
    warm_up: float = 0.06
    closed: float = -3.0  # nats; the gate at the first step, none from the share ``opening`` of the steps on
    opening: float = 0.2
    each_weight: float = 1.0  # of judging each sentence by itself
    side_by_side: int = SIDE_BY_SIDE  # pairs in one step; a GPU takes all of a batch
    threads: int = 0  # of the CPU
    workers: int = 0  # processes that make batches beside the training; a GPU waits for them
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions with all their sentences. ``groups``: pairs, and for each of their sentences where its score stands in
    what the model gives, and where it goes in ``gold``, both (sentences,) and flat. ``gold`` is (questions, sentences
    of the longest); -1 is padding."""

    groups: tuple[tuple[PaddedPairs, Tensor, Tensor], ...]
    gold: Tensor
    n_tokens: int

    def __len__(self) -> int:
        return len(self.gold)

    @classmethod
    def of(cls, asked: Sequence[Asked], side_by_side: int = SIDE_BY_SIDE) -> Batch:
        gold = pad_sequence([torch.cat(one.gold) for one in asked], batch_first=True, padding_value=-1.0)
        pairs, begins = [], []
        for row, one in enumerate(asked):
            sizes = [pair.sentences for pair in one.pairs]
            begins += [row * gold.shape[1] + at for at in accumulate(sizes[:-1], initial=0)]
            pairs += one.pairs
        groups = []
        for places, group in grouped(pairs, side_by_side):
            longest = max(group.sentences)
            stands = [torch.arange(n * longest, n * longest + size) for n, size in enumerate(group.sentences)]
            goes = [torch.arange(begins[i], begins[i] + pairs[i].sentences) for i in places]
            groups.append((group, torch.cat(stands), torch.cat(goes)))
        return cls(tuple(groups), gold, sum(len(pair.question) + len(pair.passage) for pair in pairs))


def batch_scores(model: ReaderModel, batch: Batch, gate: float = 0.0) -> Tensor:
    """(questions, sentences of the longest) log-odds; where padding is, they are as good as none."""
    scores = torch.full((batch.gold.numel(),), _LEAST, device=model.device)
    for pairs, stands, goes in batch.groups:
        found = model.read(pairs, gate).flatten()[stands.to(model.device)]
        scores = scores.index_put((goes.to(model.device),), found)
    return scores.view(batch.gold.shape)


def loss_of(scores: Tensor, gold: Tensor, each_weight: float) -> Tensor:
    """(questions,) in nats. ``scores`` and ``gold``: (questions, sentences of all its passages), -1 for padding."""
    is_right = gold > 0
    everything = torch.cat([scores, scores.new_zeros(len(scores), 1)], 1)  # the last is that none answers
    chosen = everything.masked_fill(~torch.cat([is_right, ~is_right.any(1, keepdim=True)], 1), _LEAST)
    together = torch.logsumexp(everything, 1) - torch.logsumexp(chosen, 1)
    each = functional.binary_cross_entropy_with_logits(scores, gold.clamp(min=0.0), reduction="none")
    return together + each_weight * each.sum(1) / (gold >= 0).sum(1)


def main(recipe_path: Path) -> None:
    recipe = ReaderRecipe.model_validate(tomllib.loads(recipe_path.read_text(encoding="utf-8")))
    torch.manual_seed(recipe.seed)
    recipe.folder.mkdir(parents=True, exist_ok=True)
    (recipe.folder / "recipe.json").write_text(recipe.model_dump_json(indent=1), encoding="utf-8")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # cuDNN's attention is built anew for every length, which takes ten times as long as the step (docs/reader.md).
    torch.backends.cuda.enable_cudnn_sdp(False)
    # On a CPU the way back through the fused attention takes longer than all other products together.
    attention = "eager" if device == "cpu" else "sdpa"
    model = load_reader(recipe.start, recipe.dropout, attention).to(device)
    tokenizer = ReaderTokenizer(bundled_model_path() / "tokenizer.json")
    rows = _epoch_rows(recipe)
    validation = [Asked(row, tokenizer) for row in _read(recipe.data, "validation")]
    random.Random(0).shuffle(validation)  # noqa: S311  # a part of it tells of the whole
    _train(recipe, model, tokenizer, rows, validation)
    if recipe.start is not None and recipe.start_share:
        before = load_reader(recipe.start).trained()
        for name, weight in model.trained().items():
            weight.lerp_(before[name].to(device), recipe.start_share)
    save_file({n: w.cpu().contiguous() for n, w in model.trained().items()}, recipe.folder / WEIGHTS_FILE)
    figures = evaluate(model, validation, recipe.side_by_side)
    (recipe.folder / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    logger.info("%s", json.dumps(figures))


def _train(
    recipe: ReaderRecipe,
    model: ReaderModel,
    tokenizer: ReaderTokenizer,
    rows: Sequence[Mapping[str, Any]],
    validation: Sequence[Asked],
) -> None:
    head = [p for n, p in model.named_parameters() if p.requires_grad and not n.startswith("layers")]
    groups = [
        {"params": [p for n, p in model.named_parameters() if n.startswith("layers")], "peak": recipe.rate},
        {"params": head, "peak": recipe.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
    n_steps = len(rows) // recipe.batch
    first, before = _resume(recipe.folder, model, optimizer)
    cores = 1 if model.device.type == "cuda" else recipe.threads or os.cpu_count() or 1
    pool = ThreadPoolExecutor(cores, initializer=use_one_core)
    writer = SummaryWriter(str(recipe.folder / "curve"))
    logger.info("%d steps of %d questions, from step %d", n_steps, recipe.batch, first)
    model.train()
    saved, began, tokens, losses = time.monotonic(), time.monotonic(), 0, []
    left = _Questions(rows[first * recipe.batch : n_steps * recipe.batch], tokenizer)
    batches = DataLoader(
        left, recipe.batch, collate_fn=partial(_shares, cores, recipe.side_by_side), num_workers=recipe.workers
    )
    for step, batch in enumerate(batches, start=first):
        seconds = before + time.monotonic() - began
        way = max(step / n_steps, seconds / 60 / recipe.minutes if recipe.minutes else 0.0)
        if way >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / (recipe.warm_up * n_steps)) * max(0.02, 1.0 - way)
        gate = recipe.closed * max(0.0, 1.0 - way / recipe.opening)
        losses.append(_backward(model, batch, recipe.each_weight, gate, pool))
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not math.isfinite(float(norm)):
            raise FloatingPointError(f"The gradient is {norm} at step {step}; the last checkpoint is kept.")
        optimizer.step()
        tokens += sum(share.n_tokens for share in batch)
        if (step + 1) % _LOG_EVERY == 0:
            mean = float(torch.stack(losses[-_LOG_EVERY:]).mean())
            writer.add_scalar("loss", mean, step + 1)
            speed = tokens / (time.monotonic() - began)
            logger.info("step %d of %d: loss %.3f, %d tokens/s", step + 1, n_steps, mean, speed)
        if time.monotonic() - saved > recipe.checkpoint_seconds:
            _save(recipe.folder, step + 1, seconds, model, optimizer)
            figures = evaluate(model, validation[:400], recipe.side_by_side)
            logger.info("checkpoint at step %d: %s", step + 1, json.dumps(figures))
            saved = time.monotonic()
    writer.close()


class _Questions(Dataset[Asked]):
    def __init__(self, rows: Sequence[Mapping[str, Any]], tokenizer: ReaderTokenizer) -> None:
        self._rows = rows
        self._tokenizer = tokenizer

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: int) -> Asked:
        return Asked(self._rows[at], self._tokenizer)


def _shares(cores: int, side_by_side: int, asked: Sequence[Asked]) -> list[Batch]:
    """A batch for each core."""
    return [Batch.of(some, side_by_side) for some in filter(None, (asked[i::cores] for i in range(cores)))]


def _backward(
    model: ReaderModel, shares: Sequence[Batch], each_weight: float, gate: float, pool: ThreadPoolExecutor
) -> Tensor:
    """Sets the gradients and returns the loss. A core for each share of the batch: half as fast again as sharing each
    step of the arithmetic."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    questions = sum(map(len, shares))

    def share_of(batch: Batch) -> tuple[Tensor, Sequence[Tensor]]:
        each = loss_of(batch_scores(model, batch, gate), batch.gold.to(model.device), each_weight)
        loss = each.sum() / questions
        return loss.detach(), torch.autograd.grad(loss, trained)

    found = list(pool.map(share_of, shares))
    for weight, *parts in zip(trained, *(gradients for _, gradients in found), strict=True):
        weight.grad = sum(parts[1:], start=parts[0])
    return torch.stack([loss for loss, _ in found]).sum()


@torch.inference_mode()
def evaluate(
    model: ReaderModel, asked: Sequence[Asked], side_by_side: int = SIDE_BY_SIDE, batch: int = 16
) -> dict[str, dict[str, float]]:
    """By source: share of answerable questions whose best sentence answers, and how often an answerable question
    scores above one that is not (ROC AUC)."""
    was_training = model.training
    model.eval()
    right: dict[str, list[bool]] = defaultdict(list)
    odds: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for start in range(0, len(asked), batch):
        some = asked[start : start + batch]
        made = Batch.of(some, side_by_side)
        for one, own, gold in zip(some, batch_scores(model, made).cpu(), made.gold, strict=True):
            for name in (one.source, "all"):
                odds[name, one.is_answerable].append(float(torch.logsumexp(own, 0)))
                if one.is_answerable:
                    right[name].append(bool(gold[own.argmax()] > 0))
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
    whole: list[Mapping[str, Any]] = []
    for row in _read(recipe.data, "train"):
        page = "-".join(re.findall(r"[a-z0-9]+", row["page"].lower()))
        (whole if page in recipe.whole_pages else by_source[row["source"]]).append(row)
    rows: list[Mapping[str, Any]] = []
    for _ in range(recipe.epochs):
        epoch = list(whole)
        for source, found in sorted(by_source.items()):
            kept = rng.sample(found, min(len(found), recipe.keep.get(source, len(found))))
            epoch += kept * recipe.repeat.get(source, 1)
        rng.shuffle(epoch)
        rows += epoch
    return rows


def _read(folder: Path, side: str) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for path in sorted(folder.glob(f"{side}*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    if not rows:
        raise FileNotFoundError(f"{folder} has no {side}*.jsonl; generator.train.reading writes it.")
    return rows


def _save(folder: Path, step: int, seconds: float, model: ReaderModel, optimizer: Any) -> None:
    """First beside the last checkpoint, then in its place: a kill leaves one or the other."""
    state = {"step": step, "seconds": seconds, "model": model.trained(), "optimizer": optimizer.state_dict()}
    torch.save(state, folder / f"{_STATE_FILE}.part")
    (folder / f"{_STATE_FILE}.part").replace(folder / _STATE_FILE)


def _resume(folder: Path, model: ReaderModel, optimizer: Any) -> tuple[int, float]:
    """Steps and seconds already done."""
    if not (folder / _STATE_FILE).exists():
        return 0, 0.0
    state = torch.load(folder / _STATE_FILE, weights_only=True)
    model.load_state_dict(state["model"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["seconds"])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main(Path(sys.argv[1]))
