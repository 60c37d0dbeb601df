"""A GPT-2's folder, looked through before anything of it is loaded.

A model is a folder as ``save_pretrained`` writes it: ``config.json``, ``*.safetensors`` and ``tokenizer.json``. One
that was fine-tuned on the grounded prompt (``generator.prompt``) carries ``answerdesk.json`` with ``"grounded": true``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from domain.errors import ModelMissing, ModelUnsuitable

GROUNDED_FACTS = "answerdesk.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder that passed inspection; ``weights`` are its safetensors files in name order."""

    path: Path
    name: str
    is_grounded: bool
    context_tokens: int
    vocabulary: int
    end_token: str
    weights: tuple[Path, ...]
    tokenizer_file: Path


def inspect_model_folder(path: Path) -> ModelFolder:
    """Check everything that can be checked without loading weights.

    Raises:
        ModelMissing: a file of it is missing or broken.
        ModelUnsuitable: not a GPT-2, weights only as pickles, or a tokenizer larger than the model's vocabulary.
    """
    config = _read_json(path / "config.json")
    if config.get("model_type") != "gpt2":
        raise ModelUnsuitable(
            f"{path.name} is a {config.get('model_type', 'nameless')!r} model; only GPT-2 can compose answers here.",
            "Name a GPT-2 folder, or leave the model setting empty.",
        )
    weights = _safe_weights(path)
    tokenizer_file = path / "tokenizer.json"
    tokenizer = _read_tokenizer(tokenizer_file)
    vocabulary = whole_number(config, "vocab_size", 50_257, path)
    known = 1 + max(tokenizer.get_vocab().values(), default=-1)  # ids may have gaps
    if known > vocabulary:
        raise ModelUnsuitable(
            f"The tokenizer of {path.name} knows {known} tokens, its model only {vocabulary}.",
            "Use the tokenizer that the model was trained with.",
        )
    facts = _read_json(path / GROUNDED_FACTS) if (path / GROUNDED_FACTS).is_file() else {}
    return ModelFolder(
        path=path,
        name=str(facts.get("name") or path.resolve().name),
        is_grounded=facts.get("grounded") is True,
        context_tokens=whole_number(config, "n_positions", 1024, path),
        vocabulary=vocabulary,
        end_token=_end_token(path, config, tokenizer),
        weights=weights,
        tokenizer_file=tokenizer_file,
    )


def _safe_weights(path: Path) -> tuple[Path, ...]:
    weights = tuple(sorted(path.glob("*.safetensors")))
    if not weights:
        if any(next(path.glob(pattern), None) for pattern in _PICKLED):
            raise ModelUnsuitable(
                f"{path.name} holds its weights only as pickle files, which can run code when loaded.",
                "Save it again with `save_pretrained(folder)`, which writes safetensors.",
            )
        raise ModelMissing(f"{path.name} holds no *.safetensors weights.", "Copy the complete model folder.")
    index = path / "model.safetensors.index.json"
    if index.is_file():
        named = set(_read_json(index).get("weight_map", {}).values())
        absent = sorted(named - {file.name for file in weights})
        if absent:
            raise ModelMissing(f"{path.name} lacks {', '.join(absent)}.", "Copy the complete model folder.")
    for file in weights:
        try:
            with safe_open(file, framework="numpy") as opened:
                opened.keys()  # reads and checks the header against the file's length
        except (SafetensorError, OSError) as error:
            raise ModelMissing(f"{file.name} of {path.name} is broken: {error}.", "Copy that file again.") from error
    return weights


def _read_tokenizer(file: Path) -> Tokenizer:
    if not file.is_file():
        raise ModelMissing(
            f"{file.parent.name} holds no tokenizer.json.",
            "Save its tokenizer beside it with `AutoTokenizer.from_pretrained(...).save_pretrained(folder)`.",
        )
    try:
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # the Rust side raises bare Exception for every kind of bad file
        raise ModelMissing(f"tokenizer.json of {file.parent.name} is broken: {error}.", "Copy it again.") from error


def _end_token(path: Path, config: dict[str, Any], tokenizer: Tokenizer) -> str:
    end_id = config.get("eos_token_id")
    token = tokenizer.id_to_token(end_id) if isinstance(end_id, int) else None
    if token is None:
        raise ModelUnsuitable(
            f"The end-of-text token {end_id!r} of {path.name} is not in its tokenizer.",
            "Use the tokenizer that the model was trained with.",
        )
    return str(token)


def whole_number(config: dict[str, Any], name: str, default: int, path: Path) -> int:
    """A size from the folder's ``config.json``, at least 1.

    Raises:
        ModelUnsuitable
    """
    value = config.get(name, default)
    if not isinstance(value, int) or value < 1:
        raise ModelUnsuitable(f"{name} of {path.name} is {value!r}.", "Copy its config.json again.")
    return value


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelMissing(f"{file.parent.name} holds no {file.name}.", "Copy the complete model folder.") from error
    except (OSError, ValueError) as error:
        raise ModelMissing(f"{file.name} of {file.parent.name} is broken: {error}.", "Copy it again.") from error
    if not isinstance(value, dict):
        raise ModelMissing(f"{file.name} of {file.parent.name} is not a JSON object.", "Copy it again.")
    return value
