"""Fine-tunes a GPT-2 to answer from evidence: ``python -m generator.train.finetune RECIPE.toml`` (again to resume).

``start`` in the recipe is any local GPT-2 folder: our own pre-trained one, or a copy of a public one. Its tokenizer
must be the one that the data was packed with (``tokenizer`` in the data recipe).
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel

from generator.train.loop import train
from generator.train.recipe import TrainRecipe, load_recipe
from generator.train.tokenizer import load_tokenizer


def finetune(recipe: TrainRecipe) -> Path:
    """Go on from the model in ``recipe.start``; returns the folder of the fine-tuned model.

    Raises:
        ValueError: the recipe names no start, or the data was packed for another tokenizer.
    """
    if recipe.start is None:
        raise ValueError('a fine-tuning recipe needs start = "FOLDER", the GPT-2 to go on from')
    tokenizer = load_tokenizer(recipe.start)
    packed_for = load_tokenizer(recipe.data / "tokenizer")
    if tokenizer.get_vocab() != packed_for.get_vocab():
        raise ValueError(
            f"{recipe.data} was packed with another tokenizer ({len(packed_for)} tokens) than {recipe.start} has "
            f'({len(tokenizer)}); build the data again with tokenizer = "{recipe.start}"'
        )
    return train(recipe, load_model(recipe.start, recipe.dropout), tokenizer)


def load_model(folder: Path, dropout: float) -> GPT2LMHeadModel:
    """A GPT-2 folder in float32, ready to train; attention as in ``pretrain.fresh_model``."""
    model = GPT2LMHeadModel.from_pretrained(
        str(folder),
        dtype=torch.float32,
        attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
    )
    model.train()
    return model


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    finetune(load_recipe(Path(sys.argv[1])))
