"""Reading GPT-2's weights from safetensors, and refusing what does not fit, before anything computes with them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from domain.errors import ModelMissing, ModelUnsuitable
from generator.engines.model_folder import ModelFolder, whole_number

_ACTIVATIONS = {"gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu": "none"}  # torch's name of the approximation
_MASKS = (".attn.bias", ".attn.masked_bias")  # constants that older files store
_PREFIX = "transformer."  # what ``save_pretrained`` writes before each name; OpenAI's own files go without


@dataclass(frozen=True, slots=True)
class Gpt2Shape:
    """The sizes of one GPT-2. ``head_width * heads == width``."""

    layers: int
    heads: int
    width: int
    context: int
    vocabulary: int
    epsilon: float
    gelu: str

    @property
    def head_width(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class Affine:
    """``x @ weight.T + bias``: weight is (out, in), bias (out,)."""

    weight: Tensor
    bias: Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> Affine:
        return Affine(self.weight.to(device, dtype), self.bias.to(device, dtype))


@dataclass(frozen=True, slots=True)
class BlockWeights:
    """One layer: ``qkv`` makes (3 * width) of (width); norms hold scale and shift, each (width,)."""

    norm_1: Affine
    qkv: Affine
    merge: Affine
    norm_2: Affine
    widen: Affine
    narrow: Affine

    def to(self, device: torch.device, dtype: torch.dtype) -> BlockWeights:
        parts = (self.norm_1, self.qkv, self.merge, self.norm_2, self.widen, self.narrow)
        return BlockWeights(*(part.to(device, dtype) for part in parts))


@dataclass(frozen=True, slots=True)
class Gpt2Weights:
    """All of it in float32 on the CPU. ``head`` (vocabulary, width) is ``tokens`` itself where the two are tied."""

    shape: Gpt2Shape
    tokens: Tensor  # (vocabulary, width)
    positions: Tensor  # (context, width)
    blocks: tuple[BlockWeights, ...]
    norm: Affine
    head: Tensor


def read_weights(folder: ModelFolder) -> Gpt2Weights:
    """The weights of an inspected folder.

    Raises:
        ModelMissing: a file is broken or a weight is missing or of another shape than the configuration says.
        ModelUnsuitable: weights that are not finite, or a variant of GPT-2 that this engine does not compute.
    """
    shape = _read_shape(folder)
    tensors = _read_tensors(folder)
    take = _Taker(folder.name, tensors)
    width, inner = shape.width, _inner_width(tensors, shape)
    tokens = take("wte.weight", (shape.vocabulary, width))
    head = take("lm_head.weight", (shape.vocabulary, width)) if "lm_head.weight" in tensors else tokens
    blocks = tuple(
        BlockWeights(
            norm_1=take.norm(f"h.{i}.ln_1", width),
            qkv=take.affine(f"h.{i}.attn.c_attn", width, 3 * width),
            merge=take.affine(f"h.{i}.attn.c_proj", width, width),
            norm_2=take.norm(f"h.{i}.ln_2", width),
            widen=take.affine(f"h.{i}.mlp.c_fc", width, inner),
            narrow=take.affine(f"h.{i}.mlp.c_proj", inner, width),
        )
        for i in range(shape.layers)
    )
    positions = take("wpe.weight", (shape.context, width))
    norm = take.norm("ln_f", width)
    take.expect_no_more()
    return Gpt2Weights(shape, tokens, positions, blocks, norm, head)


class _Taker:
    """Hands out tensors by name, checked for shape and finiteness."""

    def __init__(self, model: str, tensors: dict[str, Tensor]) -> None:
        self._model = model
        self._tensors = tensors
        self._taken: set[str] = set()

    def expect_no_more(self) -> None:
        """A layer that the configuration does not know of would silently be left out."""
        left = sorted(name for name in self._tensors.keys() - self._taken if not name.endswith(_MASKS))
        if left:
            raise ModelMissing(
                f"config.json of {self._model} does not know of {left[0]} and {len(left) - 1} other weights.",
                "Copy the complete model folder again.",
            )

    def __call__(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = self._tensors.get(name)
        self._taken.add(name)
        if tensor is None:
            raise ModelMissing(f"Weights are missing in {self._model}: {name}.", "Copy the complete model folder.")
        if tuple(tensor.shape) != shape:
            raise ModelMissing(
                f"{name} of {self._model} has shape {tuple(tensor.shape)}, its config.json says {shape}.",
                "Copy the complete model folder again.",
            )
        tensor = tensor.float()
        if not torch.isfinite(tensor).all():
            raise ModelUnsuitable(
                f"{name} of {self._model} holds numbers that are not finite.",
                "Use an earlier checkpoint; the training of this one diverged, or its file was damaged.",
            )
        return tensor

    def affine(self, name: str, inputs: int, outputs: int) -> Affine:
        # GPT-2's Conv1D keeps (in, out); a row an output reads memory in order.
        weight = self(f"{name}.weight", (inputs, outputs)).t().contiguous()
        return Affine(weight, self(f"{name}.bias", (outputs,)))

    def norm(self, name: str, width: int) -> Affine:
        return Affine(self(f"{name}.weight", (width,)), self(f"{name}.bias", (width,)))


def _read_shape(folder: ModelFolder) -> Gpt2Shape:
    config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    activation = config.get("activation_function", "gelu_new")
    odd = [name for name in ("scale_attn_by_inverse_layer_idx", "add_cross_attention") if config.get(name)]
    if activation not in _ACTIVATIONS or odd or not config.get("scale_attn_weights", True):
        raise ModelUnsuitable(
            f"{folder.name} is a variant of GPT-2 that cannot be served: {', '.join(map(str, [activation, *odd]))}.",
            "Use a GPT-2 with its original attention and activation.",
        )
    sizes = (("n_layer", 12), ("n_head", 12), ("n_embd", 768))
    layers, heads, width = (whole_number(config, name, default, folder.path) for name, default in sizes)
    if width % heads:
        raise ModelUnsuitable(
            f"{folder.name} spreads a width of {width} over {heads} heads.", "Copy its config.json again."
        )
    epsilon = config.get("layer_norm_epsilon", 1e-5)
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise ModelUnsuitable(f"layer_norm_epsilon of {folder.name} is {epsilon!r}.", "Copy its config.json again.")
    return Gpt2Shape(
        layers=layers,
        heads=heads,
        width=width,
        context=folder.context_tokens,
        vocabulary=folder.vocabulary,
        epsilon=epsilon,
        gelu=_ACTIVATIONS[activation],
    )


def _read_tensors(folder: ModelFolder) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for file in folder.weights:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118  # safe_open is no mapping
                    tensors[name.removeprefix(_PREFIX)] = opened.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelMissing(f"{file.name} of {folder.name} is broken: {error}.", "Copy that file again.") from error
    return tensors


def _inner_width(tensors: dict[str, Tensor], shape: Gpt2Shape) -> int:
    bias = tensors.get("h.0.mlp.c_fc.bias")
    return 4 * shape.width if bias is None else int(bias.numel())
