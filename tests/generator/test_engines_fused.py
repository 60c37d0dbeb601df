"""The fused step says what torch's own step says. Without a GPU the kernels run in Triton's interpreter, slowly."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from generator.engines import decoder as engine
from generator.engines.decoder import NOT_FINITE, Decoder, Pending
from generator.engines.graphs import EagerSteps
from generator.engines.static_cache import Gpt2
from generator.engines.weights import Affine, BlockWeights, Gpt2Shape, Gpt2Weights

_HAS_CUDA = torch.cuda.is_available()
if not _HAS_CUDA:
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported, which only CUDA needs elsewhere
pytest.importorskip("triton", reason="Triton comes with torch's builds for CUDA")

_VOCABULARY, _STEPS = 333, 3


class OnPaper:
    """Says that steps are captured, and runs them."""

    is_captured = True

    def __call__(self, _key: object, step: object) -> None:
        assert callable(step)
        step()


@pytest.fixture(autouse=True)
def _fusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(engine, "can_fuse", lambda _: True)
    with torch.inference_mode():
        yield


def _network(width: int, heads: int, gelu: str) -> Gpt2:
    random = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random) * 0.08

    def affine(inner: int, outer: int) -> Affine:
        return Affine(draw(outer, inner), draw(outer))

    def norm() -> Affine:
        return Affine(1 + draw(width), draw(width))

    blocks = tuple(
        BlockWeights(
            norm(),
            affine(width, 3 * width),
            affine(width, width),
            norm(),
            affine(width, 4 * width),
            affine(4 * width, width),
        )
        for _ in range(2)
    )
    tokens = draw(_VOCABULARY, width) * 4
    shape = Gpt2Shape(2, heads, width, 128, _VOCABULARY, 1e-5, gelu)
    weights = Gpt2Weights(shape, tokens, draw(128, width), blocks, norm(), tokens)
    return Gpt2(weights, torch.float32, torch.device("cuda" if _HAS_CUDA else "cpu"))


def _said(network: Gpt2, decoder: Decoder, slots: list[int]) -> dict[int, list[int]]:
    prompts = {slot: [(7 * slot + 3 * i) % (_VOCABULARY - 1) + 1 for i in range(3 + (5 * slot) % 11)] for slot in slots}
    for slot, prompt in prompts.items():
        decoder.fill(slot, prompt[:-1], 0)
    return decoder.advance({s: Pending(p[-1], len(p) - 1) for s, p in prompts.items()}, _STEPS)


@pytest.mark.parametrize(
    ("width", "heads", "gelu", "slots"),
    [
        pytest.param(256, 4, "tanh", [0], id="one row"),
        pytest.param(384, 6, "none", [0, 1], id="two rows"),
        pytest.param(256, 8, "tanh", [0, 2, 3], id="a slot between them is not in use"),
        pytest.param(256, 4, "none", [*range(12), 15], id="many rows"),
    ],
)
def test_fused_steps_say_what_torch_says(width: int, heads: int, gelu: str, slots: list[int]) -> None:
    network = _network(width, heads, gelu)
    plain = Decoder(network, max(slots) + 1, EagerSteps())
    fused = Decoder(network, max(slots) + 1, OnPaper())
    assert _said(network, fused, slots) == _said(network, plain, slots)


def test_logits_that_are_no_numbers_are_told() -> None:
    network = _network(256, 4, "tanh")
    network.norm.bias[3] = float("nan")
    assert _said(network, Decoder(network, 2, OnPaper()), [0, 1]) == {slot: [NOT_FINITE] * _STEPS for slot in (0, 1)}
