"""A GPT-2 of a few kilobytes with random weights, as a folder that could be published."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from generator.train.tokenizer import train_tokenizer

VOCABULARY = 300


def write_tiny_gpt2(folder: Path, *, seed: int = 3, is_grounded: bool = True) -> Path:
    """Write the folder as fine-tuning would leave it; another seed gives other weights."""
    torch.manual_seed(seed)
    tokenizer = _tokenizer()
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=512, n_embd=16, n_layer=2, n_head=2, bos_token_id=end, eos_token_id=end
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "answerdesk.json").write_text(json.dumps({"name": folder.name, "grounded": is_grounded}))
    return folder


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["You can return a lamp within 30 days. [1]"] * 3, VOCABULARY)
