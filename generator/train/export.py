"""Makes a trained folder ready to ship: ``python -m generator.train.export RUN/model OUT_FOLDER``.

Weights in bfloat16 (half the size; training already computed in it), the tokenizer, and ``answerdesk.json``, by which
the runtime knows that this GPT-2 was taught the grounded prompt.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2LMHeadModel

from domain.errors import ModelUnsuitable
from generator.engines.model_folder import GROUNDED_FACTS
from generator.train.checkpoint import room_on_disk
from generator.train.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)


def export(
    trained: Path, out: Path, name: str = "answerdesk-gpt2", provenance: Mapping[str, Any] | None = None
) -> None:
    """Write the shipped files into ``out``; other files there (the model card) stay.

    ``provenance`` goes into ``answerdesk.json`` too: what the model was made from and how.

    Raises:
        ModelUnsuitable: the tokenizer is not the model's.
        StorageFull
    """
    tokenizer = load_tokenizer(trained)
    model = GPT2LMHeadModel.from_pretrained(str(trained), dtype=torch.bfloat16)
    if model.config.vocab_size != len(tokenizer):
        raise ModelUnsuitable(
            f"The model has {model.config.vocab_size} tokens, its tokenizer {len(tokenizer)}.",
            "Put the tokenizer that it was trained with beside it.",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with room_on_disk(out), tempfile.TemporaryDirectory(dir=out.parent) as holder:
        model.save_pretrained(holder)
        tokenizer.save_pretrained(holder)
        out.mkdir(exist_ok=True)
        for file in Path(holder).iterdir():
            shutil.copyfile(file, out / file.name)
        facts = {
            "name": name,
            "grounded": True,
            "prompt": "v1",
            "parameters": sum(p.numel() for p in model.parameters()),
            "context_tokens": model.config.n_positions,
            "language": "en",
            **(provenance or {}),
        }
        # Last, so that a folder with this file is a whole one.
        partial = out / f"{GROUNDED_FACTS}.partial"
        partial.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        partial.replace(out / GROUNDED_FACTS)
    logger.info("exported %s with %d parameters", out, facts["parameters"])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    export(Path(sys.argv[1]), Path(sys.argv[2]))
