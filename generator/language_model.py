"""Finding the GPT-2 and refusing the wrong one, before an engine runs it.

A model is a folder as ``save_pretrained`` writes it: ``config.json``, ``*.safetensors`` and ``tokenizer.json``. One
that was fine-tuned on the grounded prompt (``generator.prompt``) carries ``answerdesk.json`` with ``"grounded": true``;
any other GPT-2 loads, but must not compose answers, since nothing taught it to stay with its evidence.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from domain.errors import ModelMissing, ModelUnsuitable
from domain.protocols import LanguageModel
from generator.settings import GeneratorSettings

SHIPPED_MODEL = Path(__file__).parent / "models" / "answerdesk-gpt2"
GROUNDED_FACTS = "answerdesk.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_TRAIN_HINT = "Fine-tune it with `python -m generator.train.finetune RECIPE.toml`, or leave the model setting empty."

logger = logging.getLogger(__name__)


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


def load_language_model(settings: GeneratorSettings, cache_dir: Path, threads: int) -> LanguageModel:
    """Inspect the configured model and run it with CTranslate2; the first call converts it into ``cache_dir``.

    Args:
        threads: CPU threads of one generation, at least 1.

    Raises:
        ModelMissing: no such folder, a file of it is missing or broken, or a hub name without ``allow_download``.
        ModelUnsuitable: not a GPT-2, weights only as pickles, or a tokenizer larger than the model's vocabulary.
    """
    from generator.engines.ct2 import Ct2LanguageModel, converted  # imports torch to convert: seconds

    folder = inspect_model_folder(find_model_folder(settings))
    if not folder.is_grounded:
        logger.warning("model is not fine-tuned on the grounded prompt; answers will be quoted, not composed")
    return Ct2LanguageModel(folder, converted(folder, cache_dir), threads)


def find_model_folder(settings: GeneratorSettings) -> Path:
    """The folder that the ``model`` setting names: the shipped one, a local one, or a downloaded one.

    Raises:
        ModelMissing: see ``load_language_model``.
    """
    if not settings.model:
        if not SHIPPED_MODEL.is_dir():
            raise ModelMissing(
                f"The shipped model folder {SHIPPED_MODEL.name} is not part of this installation.",
                "Reinstall Answerdesk, or name a model folder in ANSWERDESK_GENERATOR__MODEL.",
            )
        return SHIPPED_MODEL
    local = Path(settings.model).expanduser()
    if local.is_dir():
        return local
    if not settings.allow_download:
        raise ModelMissing(
            f"There is no model folder {settings.model!r}, and downloads are off.",
            "Name an existing folder, or set ANSWERDESK_GENERATOR__ALLOW_DOWNLOAD=true to fetch it by its hub name.",
        )
    return _download(settings.model)


def inspect_model_folder(path: Path) -> ModelFolder:
    """Check everything that can be checked without loading weights.

    Raises:
        ModelMissing, ModelUnsuitable: see ``load_language_model``.
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
    vocabulary = int(config.get("vocab_size", 0))
    if tokenizer.get_vocab_size() > vocabulary:
        raise ModelUnsuitable(
            f"The tokenizer of {path.name} knows {tokenizer.get_vocab_size()} tokens, its model only {vocabulary}.",
            "Use the tokenizer that the model was trained with.",
        )
    facts = _read_json(path / GROUNDED_FACTS) if (path / GROUNDED_FACTS).is_file() else {}
    return ModelFolder(
        path=path,
        name=str(facts.get("name") or path.resolve().name),
        is_grounded=facts.get("grounded") is True,
        context_tokens=int(config.get("n_positions", 1024)),
        vocabulary=vocabulary,
        end_token=_end_token(path, config, tokenizer),
        weights=weights,
        tokenizer_file=tokenizer_file,
    )


def explain_ungrounded(name: str) -> str:
    """What to tell an operator whose model loads but may not compose."""
    return f"{name} was not fine-tuned on the grounded prompt, so answers are quoted, not composed. {_TRAIN_HINT}"


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


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        patterns = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*.json", GROUNDED_FACTS]
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelMissing(
            f"The model {name!r} could not be fetched: {error}.", "Check the name and the connection."
        ) from error
