"""What the reader learns from: invented companies and Doc2Dial, with the passages that the product finds.

    python -m benchmarks.reading_examples runs/reader

Every question of `examples/companies` and every turn on a Doc2Dial document that is not held out is searched for by
the product, and what it would give the reader is written to `train-found.jsonl` and `validation-found.jsonl`, beside
the files of `generator.train.reading`. A question of which nothing right was found is left out: another passage may say
the same in other words. Some questions are asked once more with the passages that answer taken away.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.progress import track

from api.bootstrap import Services
from api.settings import load_settings
from benchmarks._knowledge_base import ROOT, build_collections, open_product, search_once
from benchmarks.choice_examples import training_questions
from domain.protocols import PassageToRead
from generator.evaluation import GoldenQuery
from generator.evidence import passages_to_read
from generator.train.company_examples import says
from generator.train.reading import save_rows

_SEED = 29
_ALL = 10_000  # questions of a company, turns of Doc2Dial
_LEFT_OUT = 0.15  # how often a question is asked again without the passages that answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the examples go")
    parser.add_argument("--work", type=Path, default=Path("runs/choice_examples"), help="where the knowledge base goes")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    settings = load_settings()
    queries, collections = training_questions(options.data, _ALL, _ALL)
    data_dir = build_collections(collections, options.work, settings)
    rng = random.Random(_SEED)
    rows: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    with open_product(settings, data_dir) as services, ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda asked: _search(services, asked[1]), queries)
        for (source, query, is_training), shown in track(zip(queries, found, strict=True), "asking", len(queries)):
            rows[is_training].extend(_rows(f"{source}_found", query, shown, rng))
    for is_training, some in rows.items():
        name = "train" if is_training else "validation"
        save_rows(options.folder / f"{name}-found.jsonl", some)


def _search(services: Services, query: GoldenQuery) -> tuple[str, str, list[PassageToRead]]:
    """Question, context and passages as the reader is given them; none where several searches are needed."""
    searched = search_once(services, query)
    if searched is None:
        return "", "", []
    planned, result = searched
    return planned.as_searched(result), planned.before, passages_to_read(result)


def _rows(
    source: str, query: GoldenQuery, shown: tuple[str, str, list[PassageToRead]], rng: random.Random
) -> Iterator[dict[str, Any]]:
    question, context, passages = shown
    gold = [piece.quote for piece in query.evidence]
    right = [_answers(passage, gold) for passage in passages]
    if not passages or (query.answerable and not any(right)):
        return
    row = {"source": source, "page": query.collection, "question": question, "context": context}
    yield row | {"passages": [_written(*pair) for pair in zip(passages, right, strict=True)]}
    wrong = [passage for passage, answers in zip(passages, right, strict=True) if not answers]
    if query.answerable and wrong and rng.random() < _LEFT_OUT:
        yield row | {"passages": [_written(passage, []) for passage in wrong]}


def _answers(passage: PassageToRead, gold: Sequence[str]) -> list[int]:
    return [i for i, span in enumerate(passage.sentences) if says(span.of(passage.text), gold)]


def _written(passage: PassageToRead, answers: Sequence[int]) -> dict[str, Any]:
    sentences = [[span.start, span.end] for span in passage.sentences]
    return {"lead": passage.lead, "text": passage.text, "sentences": sentences, "answers": list(answers)}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
