"""The GPU half of ``benchmarks.generator_speed``: the 124M shape, 512-token prompts, 128 new tokens."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import profiler

from benchmarks._generator_peers import NEVER, Transformers, random_checkpoint
from generator.engines.decoder import Decoder, Pending
from generator.engines.graphs import EagerSteps
from generator.engines.model_folder import inspect_model_folder
from generator.engines.static_cache import Gpt2
from generator.engines.weights import Gpt2Shape, read_weights

_SHIPPED = Path(__file__).resolve().parent.parent / "generator" / "models" / "answerdesk-gpt2"
_PROMPT_TOKENS, _NEW_TOKENS, _STEPS = 512, 128, 16
_TARGETS = {1: (3_000, 10.0), 64: (80_000, 5.0)}  # streams -> tokens a second, times transformers


def measure_cuda(quick: bool, profile: bool = False) -> dict[str, Any]:
    """One and 64 streams, ours and transformers by turns. Says why and stops where torch sees no CUDA."""
    if not torch.cuda.is_available():
        sys.exit("No CUDA device here: torch.cuda.is_available() is false. Run this on a machine with a GPU.")
    torch.manual_seed(1)
    device = torch.device("cuda")
    result: dict[str, Any] = {"gpu": torch.cuda.get_device_name(), "copy_gb_per_s": round(_copy_bandwidth() / 1e9)}
    with tempfile.TemporaryDirectory() as holder:
        path = random_checkpoint(Path(holder), "124M", 768, 12, 12, 50257, like=_SHIPPED)
        folder = inspect_model_folder(path)
        network = Gpt2(read_weights(folder), torch.bfloat16, device)
        peer = Transformers(folder, NEVER, torch.bfloat16, "cuda")
        with torch.inference_mode():
            result["self_check"] = _self_check(network)
            for streams in _TARGETS:
                prompts = torch.randint(1, 50000, (streams, _PROMPT_TOKENS)).tolist()
                decoders = {"captured": Decoder(network, streams, fuse=False), "fused": Decoder(network, streams)}
                figures = _streams(decoders, peer, prompts, repeats=2 if quick else 5)
                bound = _bound_seconds(network.shape, streams, result["copy_gb_per_s"] * 1e9) * _NEW_TOKENS
                for name in decoders:
                    figures[name]["share_of_bandwidth_bound"] = round(bound / figures[name]["decode_s"], 3)
                result[f"{streams}_streams"] = figures
                print(f"{streams} streams: {json.dumps(figures, indent=1)}")
                if profile:
                    _profile(decoders["fused"], prompts)
    return result


def _streams(
    decoders: Mapping[str, Decoder], peer: Transformers, prompts: list[list[int]], repeats: int
) -> dict[str, Any]:
    prefill: dict[str, list[float]] = {name: [] for name in (*decoders, "transformers")}
    decode: dict[str, list[float]] = {name: [] for name in prefill}
    said: dict[str, list[list[int]]] = {}
    for repeat in range(repeats + 1):  # the first one captures the graphs
        for name, decoder in decoders.items():
            filled, _ = _timed(_fill, decoder, prompts)
            took, by_slot = _timed(_decode, decoder, prompts)
            said[name] = [by_slot[slot] for slot in range(len(prompts))]
            if repeat:
                prefill[name].append(filled)
                decode[name].append(took)
        whole, said["transformers"] = _timed(peer.batch, prompts, _NEW_TOKENS)
        first, _ = _timed(peer.batch, prompts, 1)
        if repeat:
            prefill["transformers"].append(first)
            decode["transformers"].append((whole - first) * _NEW_TOKENS / (_NEW_TOKENS - 1))
    target, ratio = _TARGETS[len(prompts)]
    theirs = median(decode["transformers"])
    figures: dict[str, Any] = {"target_tokens_per_s": target, "target_times_transformers": ratio}
    for name in prefill:
        seconds = median(decode[name])
        figures[name] = {
            "tokens_per_s": round(len(prompts) * _NEW_TOKENS / seconds),
            "times_transformers": round(theirs / seconds, 1),
            "decode_s": round(seconds, 4),
            "prefill_s": round(median(prefill[name]), 4),
            "same_tokens_share": round(_agreement(said[name], said["transformers"]), 3),
        }
    return figures


def _fill(decoder: Decoder, prompts: Sequence[list[int]]) -> None:
    for slot, prompt in enumerate(prompts):
        decoder.fill(slot, prompt[:-1], 0)


def _decode(decoder: Decoder, prompts: Sequence[list[int]]) -> dict[int, list[int]]:
    said: dict[int, list[int]] = {slot: [] for slot in range(len(prompts))}
    pending = {slot: Pending(prompt[-1], len(prompt) - 1) for slot, prompt in enumerate(prompts)}
    for _ in range(_NEW_TOKENS // _STEPS):
        for slot, tokens in decoder.advance(pending, _STEPS).items():
            said[slot] += tokens
            pending[slot] = Pending(tokens[-1], pending[slot].position + _STEPS)
    return said


def _self_check(network: Gpt2) -> dict[str, float]:
    """Captured and fused steps have to say what the same steps say when torch runs them one by one."""
    prompts = torch.randint(1, 50000, (3, 40)).tolist()
    decoders = {
        "eager": Decoder(network, 4, EagerSteps()),
        "captured": Decoder(network, 4, fuse=False),
        "fused": Decoder(network, 4),
    }
    said = {}
    for name, decoder in decoders.items():
        _fill(decoder, prompts)
        said[name] = list(_decode(decoder, prompts).values())
    shares = {name: _agreement(said[name], said["eager"]) for name in ("captured", "fused")}
    print(f"self-check: of the tokens before the first difference to eager steps: {shares}")
    return shares


def _profile(decoder: Decoder, prompts: list[list[int]]) -> None:
    pending = {slot: Pending(prompt[-1], len(prompt) - 1) for slot, prompt in enumerate(prompts)}
    with profiler.profile(activities=[profiler.ProfilerActivity.CUDA]) as seen:
        decoder.advance(pending, _STEPS)
        torch.cuda.synchronize()
    print(seen.key_averages().table(sort_by="cuda_time_total", row_limit=10, max_name_column_width=40))


def _agreement(ours: Sequence[list[int]], theirs: Sequence[list[int]]) -> float:
    """Share of the tokens that stand before the first difference; after one, greedy texts part for good."""
    same = total = 0
    for one, other in zip(ours, theirs, strict=True):
        agreed = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
        same, total = same + agreed, total + len(one)
    return same / total


def _bound_seconds(shape: Gpt2Shape, streams: int, bytes_per_second: float) -> float:
    """Least seconds of a step: every weight once and every stream's keys and values once, 2 bytes each.

    At 124M: 0.25 GB of weights, and 64 streams of 576 columns hold 1.36 GB.
    """
    weights = shape.layers * 12 * shape.width**2 + shape.vocabulary * shape.width
    columns = _PROMPT_TOKENS + _NEW_TOKENS // 2
    keys_and_values = streams * columns * 2 * shape.layers * shape.width
    return 2 * (weights + keys_and_values) / bytes_per_second


def _copy_bandwidth() -> float:
    """Bytes a second that a copy on the device reads and writes."""
    source = torch.empty(2**31, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    seconds = [_timed(target.copy_, source)[0] for _ in range(10)]
    return 2 * source.numel() / median(seconds[3:])


def _timed(run: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    torch.cuda.synchronize()
    started = time.perf_counter()
    value = run(*arguments)
    torch.cuda.synchronize()
    return time.perf_counter() - started, value
