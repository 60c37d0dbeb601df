"""Packs text and grounded examples into token files, the only thing the training loop reads.

``python -m generator.train.build RECIPE.toml`` writes to the recipe's ``data`` folder: the tokenizer, one ``NAME.npz``
a kind of row (see ``generator.train.packed``), the examples to measure on as text, and ``counts.json``.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from transformers import PreTrainedTokenizerBase

from generator.dataset import (
    ExampleBuilder,
    GroundedExample,
    Seed,
    is_validation,
    read_examples,
    save_examples,
)
from generator.prompt import MarkedSentence
from generator.train.choices import pack_choices
from generator.train.packed import Packed, make_copy_rows, save_packed
from generator.train.sources import ENGLISH_PROSE, all_seeds, faq_document, read_doc2dial, read_rows
from generator.train.tokenizer import load_tokenizer, train_tokenizer

logger = logging.getLogger(__name__)
CHOICES = "choices"  # a folder of its own: the training loop reads every packed file beside it as rows of tokens
_SHOWN_TO_TOKENIZER = 6  # one in so many of the product's examples


class BuildRecipe(BaseModel):
    """What to pack. Paths are relative to the folder the command is run in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Path
    data: Path
    tokenizer: Path | None = None  # an existing tokenizer to use; None trains one
    seed: int = 0
    vocabulary: int = 8192
    context: int = 512
    tokenizer_characters: int = 25_000_000
    prose_documents: int = 1200  # at most so many documents of each prose file are packed as prose
    asked_documents: int = 1200  # and at most so many are asked about
    prose_tokens: int = 12_000_000
    prose_row: int = 256
    copy_rows: int = 16_000
    validation_rows: int = 1500
    examples: dict[str, int]  # source -> training examples
    product_examples: Path | None = None  # what ``benchmarks.choice_examples`` wrote: evidence as the product shows it
    product_noise: float = 0.0  # nats, on the log-odds of the training ones: a reader knows what it has learnt from


def main(recipe_path: Path) -> None:
    recipe = BuildRecipe.model_validate(tomllib.loads(recipe_path.read_text(encoding="utf-8")))
    rng = random.Random(recipe.seed)  # noqa: S311  # repeatable, not secret
    (recipe.data / CHOICES).mkdir(parents=True, exist_ok=True)
    seeds = list(all_seeds(recipe.sources, rng, recipe.asked_documents))
    logger.info("seeds read", extra={"counts": dict(Counter(seed.source for seed in seeds))})
    train, validation = build_examples(seeds, recipe.examples, recipe.validation_rows, rng)
    tokenizer = _tokenizer(recipe, train)
    tokenizer.save_pretrained(str(recipe.data / "tokenizer"))
    for name, examples in (("grounded", train), ("validation", validation)):
        save_packed(recipe.data / f"{name}.npz", pack_examples(examples, tokenizer, recipe.context))
        choices = pack_choices(examples, tokenizer, recipe.context)
        choices.save(recipe.data / CHOICES / f"{name}.npz")
        logger.info("choices packed", extra={"kind": name, "rows": len(choices)})
        logger.info("examples packed", extra={"kind": name, "rows": len(examples)})
    if recipe.product_examples is not None:
        for name, noise in (("train", recipe.product_noise), ("validation", 0.0)):
            shown = (with_noise(one, noise, rng) for one in read_examples(recipe.product_examples / f"{name}.jsonl"))
            choices = pack_choices(shown, tokenizer, recipe.context)
            choices.save(recipe.data / CHOICES / f"product-{name}.npz")
            logger.info("choices packed", extra={"kind": f"product-{name}", "rows": len(choices)})
    prose = pack_prose(_prose(recipe, rng), tokenizer, recipe.prose_row, recipe.prose_tokens)
    save_packed(recipe.data / "prose.npz", prose)
    save_packed(recipe.data / "copy.npz", make_copy_rows(prose, recipe.copy_rows, recipe.vocabulary, recipe.seed))
    save_examples(recipe.data / "validation.jsonl", validation)
    held_out = list(read_doc2dial(recipe.sources, held_out=True))
    builder = ExampleBuilder(held_out)
    save_examples(recipe.data / "heldout.jsonl", [builder.build(seed, rng) for seed in held_out])
    counts = {
        "train": dict(Counter(e.source for e in train)),
        "train_refusals": dict(Counter(e.source for e in train if not e.answer)),
        "validation": dict(Counter(e.source for e in validation)),
    }
    (recipe.data / "counts.json").write_text(json.dumps(counts, indent=1), encoding="utf-8")


def build_examples(
    seeds: Sequence[Seed], wanted: dict[str, int], n_validation: int, rng: random.Random
) -> tuple[list[GroundedExample], list[GroundedExample]]:
    """Training and validation examples, shuffled; a source with few seeds is walked through again, varied anew."""
    builder = ExampleBuilder(seeds)
    by_side: dict[tuple[str, bool], list[Seed]] = defaultdict(list)
    for seed in seeds:
        by_side[seed.source, is_validation(seed.passage.document)].append(seed)
    sides: list[list[GroundedExample]] = []
    for held in (False, True):
        share = n_validation / sum(wanted.values()) if held else 1.0
        rows: list[GroundedExample] = []
        for source, n in wanted.items():
            pool = by_side[source, held]
            rng.shuffle(pool)
            n_rows = min(round(n * share), len(pool)) if held else n
            rows.extend(builder.build(pool[i % len(pool)], rng) for i in range(n_rows if pool else 0))
        rng.shuffle(rows)
        sides.append(rows)
    return sides[0], sides[1]


def with_noise(example: GroundedExample, nats: float, rng: random.Random) -> GroundedExample:
    """The evidence weighed with noise of so many nats, and in the order that follows."""
    log_odds = [odds + rng.gauss(0, nats) for odds in example.log_odds]
    order = sorted(range(len(log_odds)), key=lambda i: -log_odds[i])
    place = {old + 1: new for new, old in enumerate(order, start=1)}
    return replace(
        example,
        evidence=tuple(example.evidence[i] for i in order),
        answer=tuple(MarkedSentence(told.text, tuple(place[mark] for mark in told.marks)) for told in example.answer),
        log_odds=tuple(log_odds[i] for i in order),
    )


def pack_examples(examples: Sequence[GroundedExample], tokenizer: PreTrainedTokenizerBase, context: int) -> Packed:
    """Prompt, answer and end-of-text; a row longer than the context is left out, never cut."""
    rows: list[list[int]] = []
    answers: list[int] = []
    prompts = tokenizer([example.prompt() for example in examples])["input_ids"]
    targets = tokenizer([example.target() for example in examples])["input_ids"]
    for prompt, target in zip(prompts, targets, strict=True):
        row = [*prompt, *target, int(tokenizer.eos_token_id)]
        if len(row) <= context:
            rows.append(row)
            answers.append(len(prompt))
    return Packed.of(rows, answers)


def pack_prose(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, length: int, limit: int) -> Packed:
    """Documents end to end with end-of-text between them, cut into rows of ``length`` tokens."""
    stream: list[int] = []
    for text in texts:
        stream.extend(tokenizer.encode(text))
        stream.append(int(tokenizer.eos_token_id))
        if len(stream) >= limit:
            break
    n_rows = len(stream) // length
    return Packed.of([stream[i * length : (i + 1) * length] for i in range(n_rows)], [0] * n_rows)


def _tokenizer(recipe: BuildRecipe, train: Sequence[GroundedExample]) -> PreTrainedTokenizerBase:
    if recipe.tokenizer is not None:
        return load_tokenizer(recipe.tokenizer)
    rendered = (example.prompt() + example.target() for example in train[:: max(1, len(train) // 12_000)])
    rng = random.Random(recipe.seed)  # noqa: S311  # repeatable, not secret
    product = read_examples(recipe.product_examples / "train.jsonl") if recipe.product_examples else []
    shown = (example.prompt() for example in product[::_SHOWN_TO_TOKENIZER])
    texts = _limited([*rendered, *shown, *_prose(recipe, rng, 150)], recipe.tokenizer_characters)
    return train_tokenizer(texts, recipe.vocabulary)


def _prose(recipe: BuildRecipe, rng: random.Random, per_file: int | None = None) -> list[str]:
    """Documents, dialogues and FAQ entries."""
    texts = [text for text in _talk(recipe.sources) if rng.random() < (per_file or recipe.prose_documents) / 1200]
    for name in ENGLISH_PROSE:
        every = read_rows(recipe.sources / f"prose/{name}.jsonl.zst")
        rows = [row for row in every if not is_validation(row["source"])]
        picked = rng.sample(rows, min(per_file or recipe.prose_documents, len(rows)))
        texts.extend(row["text"][:6000] for row in picked)
    rng.shuffle(texts)
    return texts


def _talk(sources: Path) -> Iterator[str]:
    for row in read_rows(sources / "dialogue/sgd_train.jsonl.zst"):
        yield "\n".join(f"{turn['speaker'].title()}: {turn['utterance']}" for turn in row["turns"])
    for name in ("medquad", "mined_docs_faq", "dstc9_faq"):
        for row in read_rows(sources / f"faq/{name}.jsonl.zst"):
            if not is_validation(faq_document(row)):
                yield f"Question: {row['question']}\nAnswer: {row['answer']}"[:3000]


def _limited(texts: Iterable[str], characters: int) -> Iterator[str]:
    for text in texts:
        characters -= len(text)
        if characters < 0:
            return
        yield text


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main(Path(sys.argv[1]))
