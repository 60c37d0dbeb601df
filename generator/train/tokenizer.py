"""Trains the byte-level BPE tokenizer, GPT-2's own kind, and saves it so that transformers and CTranslate2 load it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from domain.errors import ModelUnsuitable

END_OF_TEXT = "<|endoftext|>"
MAX_VOCABULARY = 1 << 16


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Learn ``vocabulary`` tokens from texts.

    The result always has exactly ``vocabulary`` tokens: CTranslate2 wants the model's vocabulary to equal the
    tokenizer's length, so a text too small to fill it is topped up with reserved tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    missing = vocabulary - tokenizer.get_vocab_size()
    if missing < 0:
        raise ValueError(f"a byte-level vocabulary has at least {tokenizer.get_vocab_size()} tokens, not {vocabulary}")
    tokenizer.add_special_tokens([f"<|reserved_{i}|>" for i in range(missing)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,  # never produced by a byte-level BPE, but CTranslate2 needs one to be named
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder; where ``unk_token`` or ``pad_token`` is missing, end-of-text takes its place.

    Raises:
        ModelUnsuitable: it has more tokens than two bytes tell apart, as which packed examples keep them.
    """
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(folder))
    if len(tokenizer) > MAX_VOCABULARY:
        raise ModelUnsuitable(
            f"{folder.name} has {len(tokenizer):,} tokens; training packs at most {MAX_VOCABULARY:,}.",
            "Start from a GPT-2 with a smaller vocabulary; GPT-2's own has 50,257 tokens.",
        )
    if tokenizer.unk_token is None:
        tokenizer.unk_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
