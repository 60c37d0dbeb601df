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
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel

from generator.train.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)


def export(trained: Path, out: Path, name: str = "answerdesk-gpt2") -> None:
    """Write the shipped files into ``out``; other files there (the model card) stay."""
    tokenizer = load_tokenizer(trained)
    model = GPT2LMHeadModel.from_pretrained(str(trained), dtype=torch.bfloat16)
    if model.config.vocab_size != len(tokenizer):
        raise ValueError(f"the model has {model.config.vocab_size} tokens, its tokenizer {len(tokenizer)}")
    parameters = sum(p.numel() for p in model.parameters())
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as holder:
        model.save_pretrained(holder)
        tokenizer.save_pretrained(holder)
        for file in Path(holder).iterdir():
            shutil.copyfile(file, out / file.name)
    facts = {
        "name": name,
        "grounded": True,
        "prompt": "v1",
        "parameters": parameters,
        "context_tokens": model.config.n_positions,
        "language": "en",
    }
    (out / "answerdesk.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    logger.info("exported %s with %d parameters", out, parameters)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    export(Path(sys.argv[1]), Path(sys.argv[2]))
