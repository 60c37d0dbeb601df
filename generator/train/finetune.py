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

from domain.errors import ModelUnsuitable
from domain.protocols import ProgressListener
from generator.train.loop import train
from generator.train.recipe import RecipeInvalid, TextRecipe, load_recipe
from generator.train.tokenizer import load_tokenizer


def finetune(recipe: TextRecipe, progress: ProgressListener | None = None) -> Path:
    """Go on from the model in ``recipe.start``; returns the folder of the fine-tuned model.

    Raises:
        RecipeInvalid: the recipe names no start.
        ModelUnsuitable: the data was packed for another tokenizer than the start has.
    """
    if recipe.start is None:
        raise RecipeInvalid("A fine-tuning recipe needs a start.", 'Write start = "FOLDER", the GPT-2 to go on from.')
    tokenizer = load_tokenizer(recipe.start)
    packed_for = load_tokenizer(recipe.data / "tokenizer")
    if tokenizer.get_vocab() != packed_for.get_vocab():
        raise ModelUnsuitable(
            f"{recipe.data} was packed with another tokenizer ({len(packed_for)} tokens) than {recipe.start} has "
            f"({len(tokenizer)}).",
            f'Build the data again with tokenizer = "{recipe.start}".',
        )
    return train(recipe, load_model(recipe.start, recipe.dropout), tokenizer, progress)


def load_model(folder: Path, dropout: float) -> GPT2LMHeadModel:
    """A GPT-2 folder in float32, ready to train; attention as in ``pretrain.fresh_model``.

    Its activation is taken in the fused form, which saves a fifth of the time on a CPU and is the same function.
    """
    model = GPT2LMHeadModel.from_pretrained(
        str(folder),
        dtype=torch.float32,
        attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
    )
    model.train()
    return model


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    finetune(load_recipe(Path(sys.argv[1])))
