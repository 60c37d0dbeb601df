"""What the GPT-2 learns to choose from: invented companies and Doc2Dial, with the evidence that the product shows.

    python -m benchmarks.choice_examples runs/choice_examples

Every question of `examples/companies` and every turn on a Doc2Dial document that is not held out is searched for by
the product; what stands in the prompt is what a customer's question would put there. Each question is shown a few
times, with a little noise on the evidence's log-odds, so that the order is no surer than it is on unseen documents,
and sometimes without the passage that answers. Writes `train.jsonl` and `validation.jsonl`, which
`generator.train.build` packs beside the examples of the public sets.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from rich.progress import track

from api.bootstrap import Services
from api.settings import load_settings
from benchmarks._companies import collection_of, company_files, company_queries
from benchmarks._doc2dial import COLLECTION, file_name, read_documents, read_turns, sample
from benchmarks._knowledge_base import ROOT, build_collections, open_product, search_once
from domain.protocols import Embedder
from generator.augmentation import vary_question
from generator.dataset import GroundedExample, is_held_out, save_examples
from generator.evaluation import GoldenQuery
from generator.evidence import ScoredSentence, Snippet, choose_snippets, score_sentences
from generator.prompt import ask_after
from generator.train.companies import read_companies
from generator.train.company_examples import right_answer, rightly_said
from generator.train.reading import is_measuring_document, side_of
from retriever.remembering import RememberingEmbedder

_SEED = 23
_SHOWN = 4  # times, of a training question; once as found, then with noise
_NOISE = 0.6  # nats; it makes the best sentence as often right as on companies that the reader never saw
_WORDS = (90, 150)  # of evidence; the runtime setting is 150
_LEFT_OUT = 0.15  # how often the passages that answer are taken away
_MISSED = 0.3  # how often a question whose answer was not found teaches to decline


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the product understood it, with every sentence that it found, best first."""

    source: str
    query: GoldenQuery
    is_training: bool
    question: str
    before: str
    found: tuple[ScoredSentence, ...]

    @property
    def gold(self) -> tuple[str, ...]:
        return tuple(piece.quote for piece in self.query.evidence)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the examples go")
    parser.add_argument("--limit", type=int, default=40, help="questions of a company")
    parser.add_argument("--turns", type=int, default=800, help="of Doc2Dial")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    settings = load_settings()
    queries, collections = training_questions(options.data, options.limit, options.turns)
    data_dir = build_collections(collections, options.folder, settings)
    rng = random.Random(_SEED)
    sides: dict[bool, list[GroundedExample]] = {True: [], False: []}
    with open_product(settings, data_dir) as services:
        embedder = RememberingEmbedder(services.embedder)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda query: _ask(services, embedder, *query), queries)
            for asked in track(found, "asking", len(queries)):
                if asked is not None:
                    sides[asked.is_training].extend(_examples(asked, rng))
    for is_training, examples in sides.items():
        rng.shuffle(examples)
        name = "train" if is_training else "validation"
        save_examples(options.folder / f"{name}.jsonl", examples)
        refusals = sum(not example.answer for example in examples)
        print(name, dict(Counter(example.source for example in examples)), "refusals", refusals)


def training_questions(
    data: Path, limit: int, turns: int
) -> tuple[list[tuple[str, GoldenQuery, bool]], dict[str, Mapping[str, str]]]:
    """(source, question, whether it may be trained on), and the files of each collection."""
    rng = random.Random(_SEED)
    asked: list[tuple[str, GoldenQuery, bool]] = []
    collections: dict[str, Mapping[str, str]] = {}
    for company in read_companies(ROOT / "examples" / "companies"):
        collections[collection_of(company)] = company_files(company)
        some = company_queries(company)
        some = rng.sample(some, min(limit, len(some)))
        asked += [("companies", query, side_of(company) == "train") for query in some]
    pages = {file_name(doc_id): text for doc_id, text in read_documents(data).items() if not is_held_out(doc_id)}
    collections[COLLECTION] = pages
    asked += [
        ("doc2dial", turn.query, not is_measuring_document(turn.document))
        for turn in sample(read_turns(data, "fit"), turns)
    ]
    return asked, collections


def _ask(services: Services, embedder: Embedder, source: str, query: GoldenQuery, is_training: bool) -> Asked | None:
    """None where nothing was found, or by several searches."""
    searched = search_once(services, query)
    if searched is None:
        return None
    planned, result = searched
    found = score_sentences(planned, result, embedder, services.usable_reader).sentences
    return Asked(source, query, is_training, planned.as_searched(result), planned.before, found) if found else None


def _examples(asked: Asked, rng: random.Random) -> Iterator[GroundedExample]:
    yield from filter(None, [_example(asked, asked.found, asked.question, _WORDS[1], rng)])
    if not asked.is_training:
        return
    for _ in range(_SHOWN - 1):
        found = [replace(one, log_odds=one.log_odds + rng.gauss(0, _NOISE)) for one in asked.found]
        if asked.gold and rng.random() < _LEFT_OUT:
            right = {one.hit.passage.passage_id for one in found if _says(one, asked.gold)}
            found = [one for one in found if one.hit.passage.passage_id not in right]
        found.sort(key=lambda one: -one.log_odds)
        example = _example(asked, found, vary_question(asked.question, rng), rng.randint(*_WORDS), rng)
        if example is not None:
            yield example


def _says(sentence: ScoredSentence, gold: Sequence[str]) -> bool:
    return bool(rightly_said(Snippet(sentence.hit, (sentence,)).shown(), gold))


def _example(
    asked: Asked, found: Sequence[ScoredSentence], question: str, words: int, rng: random.Random
) -> GroundedExample | None:
    snippets = choose_snippets(found, words)
    evidence = tuple(snippet.shown() for snippet in snippets)
    answer = right_answer(asked.gold, evidence)
    missed = asked.query.answerable and not answer
    if not evidence or (missed and (not asked.is_training or rng.random() > _MISSED)):
        return None
    line = ask_after(asked.before, question)
    log_odds = tuple(round(snippet.log_odds, 4) for snippet in snippets)
    return GroundedExample(asked.source, asked.query.collection or "", line, evidence, answer, log_odds)


if __name__ == "__main__":
    main()
