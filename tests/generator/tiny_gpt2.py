"""A random GPT-2 of a few thousand weights, as transformers and as our engine see it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from generator.engines.decoder import Decoder
from generator.engines.graphs import StepRunner
from generator.engines.model_folder import ModelFolder
from generator.engines.static_cache import Gpt2
from generator.engines.weights import read_weights

VOCABULARY, CONTEXT, END = 60, 96, 0


def save_tiny_gpt2(path: Path, **changes: object) -> ModelFolder:
    """Random weights, larger than usual so that greedy choices are clear; ``changes`` go into the configuration."""
    torch.manual_seed(5)
    sizes = {"vocab_size": VOCABULARY, "n_positions": CONTEXT, "n_embd": 32, "n_layer": 2, "n_head": 4}
    ends = {"bos_token_id": END, "eos_token_id": END, "initializer_range": 0.3}
    GPT2LMHeadModel(GPT2Config(**(sizes | ends | changes))).save_pretrained(path)
    return describe(path)


def describe(path: Path) -> ModelFolder:
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    return ModelFolder(
        path=path,
        name=path.name,
        is_grounded=True,
        context_tokens=config["n_positions"],
        vocabulary=config["vocab_size"],
        end_token="<|endoftext|>",
        weights=tuple(sorted(path.glob("*.safetensors"))),
        tokenizer_file=path / "tokenizer.json",
    )


def tiny_decoder(
    folder: ModelFolder, slots: int = 4, runner: StepRunner | None = None, device: str = "cpu", bf16: bool = False
) -> Decoder:
    dtype = torch.bfloat16 if bf16 else torch.float32
    return Decoder(Gpt2(read_weights(folder), dtype, torch.device(device)), slots, runner)


def reference_greedy(folder: ModelFolder, prompt: list[int], tokens: int) -> list[int]:
    """What plain greedy decoding with transformers says, ``END`` included where it comes."""
    model = GPT2LMHeadModel.from_pretrained(folder.path).eval()
    known = list(prompt)
    with torch.inference_mode():
        for _ in range(tokens):
            known.append(int(model(torch.tensor([known])).logits[0, -1].argmax()))
            if known[-1] == END:
                break
    return known[len(prompt) :]


def reference_score(folder: ModelFolder, prompt: list[int], continuation: list[int]) -> float:
    model = GPT2LMHeadModel.from_pretrained(folder.path).eval()
    with torch.inference_mode():
        scores = model(torch.tensor([prompt + continuation])).logits[0].log_softmax(-1)
    return sum(float(scores[len(prompt) - 1 + i, token]) for i, token in enumerate(continuation))
