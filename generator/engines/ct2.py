"""GPT-2 on the CPU in 8 bits with CTranslate2, about three times the speed of transformers.

The conversion runs once, into a folder named after the hash of what it was made from. Only files that we converted
ourselves are loaded, and only with the hashes that were written down then: a crafted model file can exhaust memory.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ctranslate2
from safetensors import SafetensorError
from tokenizers import Tokenizer

from domain.errors import ModelMissing, PromptTooLong
from domain.ids import sha256_hex
from generator.engines.torch_engine import TorchScorer
from generator.language_model import ModelFolder

_HASHES = "hashes.json"
_LAYOUT = "ctranslate2-int8-v1"

logger = logging.getLogger(__name__)


class Ct2LanguageModel:
    """``LanguageModel`` over a converted folder. Any number of threads may generate; CTranslate2 queues them."""

    def __init__(self, folder: ModelFolder, converted_path: Path, threads: int) -> None:
        self._folder = folder
        self._tokenizer = Tokenizer.from_file(str(folder.tokenizer_file))
        # Named because weights that come in bfloat16 would ask for int8_bfloat16, which few CPUs compute fast.
        self._generator = ctranslate2.Generator(
            str(converted_path), device="cpu", compute_type="int8_float32", intra_threads=max(1, threads)
        )
        self._scorer = TorchScorer(folder, threads)

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def context_tokens(self) -> int:
        return self._folder.context_tokens

    @property
    def is_grounded(self) -> bool:
        return self._folder.is_grounded

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def generate(self, prompt: str, max_new_tokens: int) -> Iterator[str]:
        """See ``LanguageModel.generate``. The length is checked before the iterator is returned."""
        tokens = self._tokenizer.encode(prompt, add_special_tokens=False).tokens
        if len(tokens) + max_new_tokens > self.context_tokens:
            raise PromptTooLong(
                f"The prompt has {len(tokens)} tokens; with {max_new_tokens} new ones that exceeds the "
                f"{self.context_tokens} of {self.name}.",
                "Shorten the question.",
            )
        return self._stream(tokens or [self._folder.end_token], max_new_tokens)

    def score(self, prompt: str, continuations: Sequence[str]) -> list[float]:
        return self._scorer.score(prompt, continuations)

    def _stream(self, tokens: list[str], max_new_tokens: int) -> Iterator[str]:
        decoder = ByteLevelDecoder()
        steps = self._generator.generate_tokens(
            tokens, max_length=max_new_tokens, sampling_topk=1, end_token=self._folder.end_token
        )
        try:
            for step in steps:
                if step.token == self._folder.end_token:
                    break
                piece = decoder.feed(step.token)
                if piece:
                    yield piece
        finally:
            steps.close()  # else the engine computes on for nobody
        rest = decoder.finish()
        if rest:
            yield rest


class ByteLevelDecoder:
    """Turns byte-level BPE tokens into text as they come, holding back bytes until a code point is complete."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: str) -> str:
        return self._utf8.decode(bytes(_BYTE_OF[c] for c in token if c in _BYTE_OF))

    def finish(self) -> str:
        return self._utf8.decode(b"", final=True)


def converted(folder: ModelFolder, cache_dir: Path) -> Path:
    """The CTranslate2 folder of this model, converting it when there is none or when its files were changed.

    Raises:
        ModelMissing: the weights do not make a complete GPT-2.
    """
    target = cache_dir / _source_hash(folder)
    if _is_intact(target):
        return target
    cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    logger.info("converting the language model", extra={"model": folder.name})
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".converting-") as holder:
        staged = Path(holder) / "model"
        _convert(folder, staged)
        hashes = {file.name: _file_hash(file) for file in sorted(staged.iterdir())}
        (staged / _HASHES).write_text(json.dumps(hashes, indent=1), encoding="utf-8")
        if target.exists() and not _is_intact(target):
            shutil.rmtree(target)
        try:
            staged.rename(target)
        except OSError:
            if not _is_intact(target):  # another process may have been first, which is as good
                raise
    return target


def _convert(folder: ModelFolder, staged: Path) -> None:
    converter = _Gpt2Converter(str(folder.path))
    converter.folder = folder
    try:
        converter.convert(str(staged), quantization="int8")
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelMissing(
            f"The weights of {folder.name} cannot be loaded: {error}.", "Copy the complete model folder again."
        ) from error


class _Gpt2Converter(ctranslate2.converters.TransformersConverter):  # type: ignore[misc]  # it has no type stubs
    """The stock converter, kept offline and on safetensors, with a tokenizer that CTranslate2 accepts."""

    folder: ModelFolder

    def load_model(self, model_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
        model, report = model_class.from_pretrained(
            model_name_or_path, local_files_only=True, use_safetensors=True, output_loading_info=True, **kwargs
        )
        missing = sorted(set(report["missing_keys"]) - {"lm_head.weight"})
        if missing:  # transformers would fill them with random numbers
            raise ValueError(f"{len(missing)} weights are missing, the first is {missing[0]}")
        return model

    def load_tokenizer(self, *_args: Any, **_kwargs: Any) -> Any:
        from transformers import PreTrainedTokenizerFast

        end = self.folder.end_token
        # CTranslate2 crashes at load without an unk_token, and wants as many tokens as the model has rows.
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(self.folder.tokenizer_file), bos_token=end, eos_token=end, unk_token=end
        )
        tokenizer.add_tokens([f"<|unused_{i}|>" for i in range(self.folder.vocabulary - len(tokenizer))])
        return tokenizer


def _source_hash(folder: ModelFolder) -> str:
    sources = (folder.path / "config.json", folder.tokenizer_file, *folder.weights)
    return sha256_hex(_LAYOUT + "".join(f"{file.name}:{_file_hash(file)};" for file in sources))[:24]


def _is_intact(path: Path) -> bool:
    try:
        hashes = json.loads((path / _HASHES).read_text(encoding="utf-8"))
        return all(_file_hash(path / name) == expected for name, expected in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _file_hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each of the 256 bytes (https://github.com/openai/gpt-2, encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    stand_ins = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in printable]
    return stand_ins | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()
