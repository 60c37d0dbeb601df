"""Finding the GPT-2, and making the engine that runs it.

A model that was fine-tuned on the grounded prompt says so in its folder; any other GPT-2 loads, but must not compose
answers, since nothing taught it to stay with its evidence.
"""

from __future__ import annotations

import logging
from pathlib import Path

from domain.errors import ModelMissing, ModelUnsuitable
from domain.protocols import LanguageModel
from generator.engines.model_folder import GROUNDED_FACTS, inspect_model_folder
from generator.settings import GeneratorSettings

SHIPPED_MODEL = Path(__file__).parent / "models" / "answerdesk-gpt2"
_TRAIN_HINT = "Fine-tune it with `python -m generator.train.finetune RECIPE.toml`, or leave the model setting empty."

__all__ = [
    "GROUNDED_FACTS",
    "SHIPPED_MODEL",
    "explain_ungrounded",
    "find_model_folder",
    "inspect_model_folder",
    "load_language_model",
    "load_model_folder",
]

logger = logging.getLogger(__name__)


def load_language_model(settings: GeneratorSettings, cache_dir: Path, threads: int) -> LanguageModel:
    """Inspect the configured model and make its engine, on CUDA where the ``device`` setting and the machine allow.

    Args:
        cache_dir: where a downloaded model is kept.
        threads: CPU threads of one forward, at least 1.

    Raises:
        ModelMissing: no such folder, a file of it is missing or broken, or a hub name without ``allow_download``.
        ModelUnsuitable: not a GPT-2, weights only as pickles or not finite, a tokenizer larger than the model's
            vocabulary, or CUDA asked for where there is none.
    """
    return load_model_folder(find_model_folder(settings, cache_dir), threads, settings.device)


def load_model_folder(path: Path, threads: int, device: str = "auto") -> LanguageModel:
    """The engine of the model in this folder; ``close()`` it when another takes its place.

    Raises:
        ModelMissing, ModelUnsuitable: see ``load_language_model``.
    """
    from generator.engines.torch_engine import load_torch_model  # torch: seconds

    folder = inspect_model_folder(path)
    if not folder.is_grounded:
        logger.warning("model is not fine-tuned on the grounded prompt; answers will be quoted, not composed")
    return load_torch_model(folder, threads, device)


def find_model_folder(settings: GeneratorSettings, cache_dir: Path | None = None) -> Path:
    """The folder that the ``model`` setting names: the shipped one, a local one, or a downloaded one.

    Args:
        cache_dir: where a download is kept; None takes the hub client's own place.

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
    return _download(settings.model, cache_dir)


def explain_ungrounded(name: str) -> str:
    """What to tell an operator whose model loads but may not compose."""
    return f"{name} was not fine-tuned on the grounded prompt, so answers are quoted, not composed. {_TRAIN_HINT}"


def _download(name: str, cache_dir: Path | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        patterns = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*.json", GROUNDED_FACTS]
        folder = Path(snapshot_download(name, allow_patterns=patterns, cache_dir=cache_dir))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelMissing(
            f"The model {name!r} could not be fetched: {error}.", "Check the name and the connection."
        ) from error
    if not any(folder.glob("*.safetensors")):
        raise ModelUnsuitable(
            f"The hub has no *.safetensors weights of {name!r}; pickled ones, which can run code, are not fetched.",
            "Name another model, or save that one with `save_pretrained(folder)` and name the folder.",
        )
    return folder
