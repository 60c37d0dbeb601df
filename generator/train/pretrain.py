"""Pre-trains a GPT-2 from scratch: ``python -m generator.train.pretrain RECIPE.toml`` (run it again to resume)."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerBase

from generator.train.copying import install_copying_heads
from generator.train.loop import train
from generator.train.recipe import TextRecipe, load_recipe
from generator.train.tokenizer import load_tokenizer


def pretrain(recipe: TextRecipe) -> Path:
    """Train a fresh model on the recipe's packed data; returns its folder."""
    tokenizer = load_tokenizer(recipe.data / "tokenizer")
    return train(recipe, fresh_model(recipe, tokenizer), tokenizer)


def fresh_model(recipe: TextRecipe, tokenizer: PreTrainedTokenizerBase) -> GPT2LMHeadModel:
    """A GPT-2 of the recipe's shape, which can copy from the start if the recipe says so.

    Attention is written out ("eager"): on the CPU its backward pass is 1.5 times as fast as the fused kernel's.
    """
    torch.manual_seed(recipe.seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=recipe.shape.context,
        n_embd=recipe.shape.width,
        n_layer=recipe.shape.layers,
        n_head=recipe.shape.heads,
        resid_pdrop=recipe.dropout,
        embd_pdrop=recipe.dropout,
        attn_pdrop=recipe.dropout,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = GPT2LMHeadModel._from_config(config, attn_implementation="eager" if _on_cpu() else "sdpa")
    if recipe.copying_heads:
        install_copying_heads(model, recipe.seed)
    return model


def _on_cpu() -> bool:
    return not torch.cuda.is_available()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pretrain(load_recipe(Path(sys.argv[1])))
