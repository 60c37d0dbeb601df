"""The generators that are timed against each other, all from token ids to token ids, greedy."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from generator.engines.decoder import Decoder
from generator.engines.jobs import Generation, Scoring
from generator.engines.model_folder import ModelFolder
from generator.engines.scheduler import Scheduler
from generator.engines.static_cache import Gpt2

NEVER = -2  # an end token that no model says: forces the full length on random weights
Generate = Callable[[list[int], int], list[int]]


class OurEngine:
    """The serving engine without its tokenizer."""

    def __init__(self, network: Gpt2, end: int, threads: int, draft_tokens: int) -> None:
        self._make = lambda: OurEngine(network, end, threads, draft_tokens)
        self._scheduler = Scheduler(Decoder(network, slots=8), end, threads, draft_tokens, steps=1)

    def twin(self) -> OurEngine:
        """Another engine on the same weights, which remembers nothing."""
        return self._make()

    def generate(self, prompt: list[int], most: int) -> list[int]:
        job = Generation(prompt, most)
        self._scheduler.submit(job)
        tokens: list[int] = []
        while (said := job.mailbox.get()) is not None:
            if isinstance(said, Exception):
                raise said
            tokens += said
        return tokens

    def score(self, prompt: list[int], continuations: Sequence[list[int]]) -> list[float]:
        job = Scoring(prompt, continuations)
        self._scheduler.submit(job)
        scores = job.mailbox.get()
        if isinstance(scores, Exception):
            raise scores
        return scores

    def together(self, prompts: Sequence[list[int]], most: int) -> list[list[int]]:
        with ThreadPoolExecutor(len(prompts)) as customers:
            return list(customers.map(lambda prompt: self.generate(prompt, most), prompts))


class Transformers:
    """``GPT2LMHeadModel.generate``."""

    def __init__(self, folder: ModelFolder, end: int, dtype: torch.dtype, device: str = "cpu") -> None:
        from transformers import GPT2LMHeadModel

        self.model = GPT2LMHeadModel.from_pretrained(folder.path, dtype=dtype).eval().to(device)
        self._end = end

    def generate(self, prompt: list[int], most: int) -> list[int]:
        return self.batch([prompt], most)[0]

    def batch(self, prompts: Sequence[list[int]], most: int) -> list[list[int]]:
        """Prompts of one length."""
        ids = torch.tensor(prompts, device=self.model.device)
        forced = {"min_new_tokens": most} if self._end == NEVER else {"eos_token_id": self._end}
        with torch.inference_mode():
            said = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=most,
                do_sample=False,
                pad_token_id=0,
                **forced,
            )
        tokens: list[list[int]] = said[:, ids.shape[1] :].tolist()
        return [row[: row.index(self._end)] if self._end in row else row for row in tokens]

    def score(self, prompt: list[int], continuations: Sequence[list[int]]) -> list[float]:
        """What one would write without an engine: the whole text of each, padded into one batch."""
        rows = [prompt + tokens for tokens in continuations]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            logits = self.model(ids, attention_mask=mask).logits[:, len(prompt) - 1 : -1].float().log_softmax(-1)
        return [
            sum(float(logits[row, at, token]) for at, token in enumerate(tokens))
            for row, tokens in enumerate(continuations)
        ]


class CTranslate2:
    """CTranslate2 in int8, converted into ``work``."""

    def __init__(self, folder: ModelFolder, end: int, threads: int, work: Path) -> None:
        import ctranslate2
        from transformers import PreTrainedTokenizerFast

        class Converter(ctranslate2.converters.TransformersConverter):  # type: ignore[misc]  # it has no type stubs
            def load_tokenizer(self, *_args: Any, **_kwargs: Any) -> Any:
                word = folder.end_token  # CTranslate2 needs an unknown token and as many tokens as the model has rows
                tokenizer = PreTrainedTokenizerFast(
                    tokenizer_file=str(folder.tokenizer_file), bos_token=word, eos_token=word, unk_token=word
                )
                tokenizer.add_tokens([f"<|unused_{i}|>" for i in range(folder.vocabulary - len(tokenizer))])
                words = tokenizer.get_vocab()
                self.words = sorted(words, key=lambda token: words[token])
                return tokenizer

        converter = Converter(str(folder.path))
        target = work / f"{folder.name}-int8"
        converter.convert(str(target), quantization="int8", force=True)
        self._words = converter.words
        self._ids = {word: i for i, word in enumerate(self._words)}
        self._is_forced = end == NEVER
        self._generator = ctranslate2.Generator(
            str(target), device="cpu", compute_type="int8_float32", intra_threads=threads
        )

    def generate(self, prompt: list[int], most: int) -> list[int]:
        return self.batch([prompt], most)[0]

    def batch(self, prompts: Sequence[list[int]], most: int) -> list[list[int]]:
        results = self._generator.generate_batch(
            [[self._words[token] for token in prompt] for prompt in prompts],
            max_length=most,
            min_length=most if self._is_forced else 0,
            sampling_topk=1,
            include_prompt_in_result=False,
        )
        return [[self._ids[word] for word in result.sequences[0]] for result in results]


def random_checkpoint(work: Path, name: str, width: int, layers: int, heads: int, vocabulary: int, like: Path) -> Path:
    """A GPT-2 of this shape with random weights, and the tokenizer of ``like``."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"n_embd": width, "n_layer": layers, "n_head": heads, "vocab_size": vocabulary, "n_positions": 1024}
    GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).save_pretrained(work / name)
    (work / name / "tokenizer.json").write_bytes((like / "tokenizer.json").read_bytes())
    return work / name


def shop_texts(examples: Path) -> list[str]:
    """Paragraphs of the sample shop, in the order of its files."""
    files = sorted(examples.glob("*.md")) + sorted(examples.glob("*.txt"))
    paragraphs = [text for file in files for text in re.split(r"\n\s*\n", file.read_text(encoding="utf-8"))]
    return [" ".join(text.split()) for text in paragraphs if len(text) > 120 and not text.startswith(("#", "|"))]


def shop_questions(golden: Path, count: int) -> list[str]:
    rows = [json.loads(line) for line in golden.read_text(encoding="utf-8").splitlines()]
    return [row["question"] for row in rows if row["answerable"] and not row.get("history")][:count]


def machine() -> str:
    import platform

    return f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}"
