"""Greedy answers on examples of unseen documents: ``python -m generator.train.evaluate MODEL EXAMPLES.jsonl [N]``.

The model runs as it is served: converted with CTranslate2 to 8 bits. Gold answers come from the data sets, so a right
sentence that the data set did not choose counts as wrong here. With ``first`` as the model, the first sentence of the
first piece of evidence is the answer to everything: the baseline that any model has to beat.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ctranslate2
from ctranslate2.converters import TransformersConverter

from domain.text import sentences, words
from generator.prompt import REFUSAL, is_refusal, split_marked
from generator.train.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)
_MAX_NEW_TOKENS = 120
_EVIDENCE_LINE = re.compile(r"^\[(\d)\] (.*)$", re.MULTILINE)
_ARTICLES = frozenset(("a", "an", "the"))


@dataclass(frozen=True)
class Figures:
    """Shares from 0 to 1.

    ``copied``: generated sentences that stand verbatim in the evidence they cite. ``right_mark``: answered answerable
    examples whose first mark is the gold one. ``f1``: token F1 with the gold answer over answerable examples, a refusal
    scoring 0. ``exact``: completions equal to the target. ``answered``: answerable examples that were answered.
    """

    examples: int
    answerable: int
    copied: float
    right_mark: float
    f1: float
    exact: float
    answered: float
    refusal_precision: float
    refusal_recall: float


def evaluate(model: Path | None, examples: Path, limit: int | None = None) -> dict[str, Figures]:
    """Figures over all examples (``"all"``) and for each source; without a model those of ``first_sentence``."""
    rows = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()[:limit]]
    prompts = [row["prompt"] for row in rows]
    completions = [first_sentence(prompt) for prompt in prompts] if model is None else complete(model, prompts)
    found: dict[str, Figures] = {}
    for source in ["all", *sorted({row["source"] for row in rows})]:
        pairs = [(r, c) for r, c in zip(rows, completions, strict=True) if source in ("all", r["source"])]
        found[source] = score([row for row, _ in pairs], [completion for _, completion in pairs])
    return found


def first_sentence(prompt: str) -> str:
    """The first sentence of the first evidence, its heading left out as far as a colon tells."""
    shown = dict(_EVIDENCE_LINE.findall(prompt)).get("1", "")
    told = sentences(shown.rpartition(": ")[2])
    return f" {told[0]} [1]" if told else " [0]"


def complete(model: Path, prompts: Sequence[str]) -> list[str]:
    """The greedy completion of each prompt; a prompt too long for the context gets none, which counts as declining."""
    tokenizer = load_tokenizer(model)
    room = int(json.loads((model / "config.json").read_text(encoding="utf-8"))["n_positions"]) - _MAX_NEW_TOKENS
    tokens = [tokenizer.convert_ids_to_tokens(tokenizer.encode(prompt)) for prompt in prompts]
    fitting = [i for i, prompt in enumerate(tokens) if len(prompt) <= room]
    with tempfile.TemporaryDirectory() as holder:
        TransformersConverter(str(model)).convert(holder, quantization="int8", force=True)
        engine = ctranslate2.Generator(holder, device="cpu", compute_type="int8_float32", intra_threads=2)
        results = engine.generate_batch(
            [tokens[i] for i in fitting],
            max_batch_size=1024,
            batch_type="tokens",
            max_length=_MAX_NEW_TOKENS,
            sampling_topk=1,
            include_prompt_in_result=False,
            end_token=tokenizer.eos_token,
        )
    completions = [""] * len(prompts)
    for i, result in zip(fitting, results, strict=True):
        completions[i] = tokenizer.decode(result.sequences_ids[0], skip_special_tokens=True)
    return completions


def score(rows: Sequence[dict[str, Any]], completions: Sequence[str]) -> Figures:
    """Compare completions with targets; see ``Figures``."""
    n: Counter[str] = Counter()
    f1 = 0.0
    for row, completion in zip(rows, completions, strict=True):
        declined, answerable = is_refusal(completion), row["target"].strip() != REFUSAL
        n["exact"] += completion.strip() == row["target"].strip()
        n["answerable"] += answerable
        n["declined"] += declined
        n["rightly_declined"] += declined and not answerable
        if declined:
            continue
        evidence = dict(_EVIDENCE_LINE.findall(row["prompt"]))
        said, _ = split_marked(completion + "\n")
        n["sentences"] += len(said)
        n["copied"] += sum(any(s.text in evidence.get(str(m), "") for m in s.marks) for s in said)
        if not answerable:
            continue
        gold, _ = split_marked(row["target"] + "\n")
        n["answered"] += 1
        n["right_mark"] += bool(said) and said[0].marks[:1] == gold[0].marks[:1]
        f1 += token_f1(" ".join(s.text for s in said), " ".join(s.text for s in gold))
    unanswerable = len(rows) - n["answerable"]
    return Figures(
        examples=len(rows),
        answerable=n["answerable"],
        copied=_share(n["copied"], n["sentences"]),
        right_mark=_share(n["right_mark"], n["answered"]),
        f1=_share(f1, n["answerable"]),
        exact=_share(n["exact"], len(rows)),
        answered=_share(n["answered"], n["answerable"]),
        refusal_precision=_share(n["rightly_declined"], n["declined"]),
        refusal_recall=_share(n["rightly_declined"], unanswerable),
    )


def token_f1(said: str, gold: str) -> float:
    """SQuAD's token F1: lower case, without punctuation and articles."""
    a, b = (Counter(w.lower() for w in words(text) if w.lower() not in _ARTICLES) for text in (said, gold))
    shared = sum((a & b).values())
    return 2 * shared / (sum(a.values()) + sum(b.values())) if shared else 0.0


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    measured = None if sys.argv[1] == "first" else Path(sys.argv[1])
    figures = evaluate(measured, Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
    for source, values in figures.items():
        logger.info("%s %s", source, json.dumps(asdict(values)))
