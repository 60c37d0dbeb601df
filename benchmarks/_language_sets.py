"""Questions with the passages that answer them, within and across languages, from the public benchmark data."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._doc2dial import read_documents, read_turns
from domain.documents import MAX_PASSAGE_WORDS, Passage
from domain.text import Span, word_spans
from domain.windows import Windows, search_windows
from generator.train.sources import read_rows

PASSAGES = 240
_SEED = 7
_QUESTIONS_A_PASSAGE = 2
_HELP_LANGUAGES = ("en", "de", "es", "fr", "ja", "zh")
_MIN_WORDS = 40
_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_TRANSLATED = {"zh": 0.7, "ja": 0.5}  # of the letters: pages that were left in English are no Chinese pages


@dataclass(frozen=True, slots=True)
class LanguageSet:
    """``answers[n]`` are the places in ``passages`` that answer ``questions[n]``; a passage may begin with
    its heading."""

    name: str
    questions: tuple[str, ...]
    passages: tuple[str, ...]
    answers: tuple[frozenset[int], ...]
    headings: tuple[str, ...] = ()

    def windows(self) -> list[Windows]:
        """Of each passage the windows that the product embeds, each under the heading."""
        headed = zip(self.passages, self.headings or [""] * len(self.passages), strict=True)
        return [_as_windows(text.removeprefix(f"{heading}\n"), heading) for text, heading in headed]


def read_sets(data: Path) -> list[LanguageSet]:
    return [*_help_sets(data), *_chinese_sets(data), _squad(data), _doc2dial(data)]


def _help_sets(data: Path) -> list[LanguageSet]:
    """Help pages that exist in six languages under one path. The title is the question.

    Across languages, a passage is the page's beginning under its title; within one, without it.
    """
    pages = {language: _help_pages(data, language) for language in _HELP_LANGUAGES}
    paths = sorted(set.intersection(*(set(found) for found in pages.values())))
    random.Random(_SEED).shuffle(paths)
    chosen: list[str] = []
    titles: set[tuple[str, str]] = set()
    for path in paths:
        here = {(language, pages[language][path]["title"]) for language in _HELP_LANGUAGES}
        if len(chosen) < PASSAGES and not here & titles and _is_usable({lang: pages[lang][path] for lang in pages}):
            chosen.append(path)
            titles |= here
    itself = tuple(frozenset([n]) for n in range(len(chosen)))
    bare = {lang: tuple(_beginning(_body(pages[lang][path])) for path in chosen) for lang in pages}
    asked = {lang: tuple(pages[lang][path]["title"] for path in chosen) for lang in pages}
    titled = {lang: tuple(map("\n".join, zip(asked[lang], bare[lang], strict=True))) for lang in pages}
    across = [(lang, "en") for lang in _HELP_LANGUAGES if lang != "en"] + [("en", "zh"), ("en", "es")]
    return [
        *(LanguageSet(f"help {a} to {b}", asked[a], titled[b], itself, asked[b]) for a, b in across),
        *(LanguageSet(f"help {lang} to {lang}", asked[lang], bare[lang], itself) for lang in _HELP_LANGUAGES),
    ]


def _as_windows(text: str, heading: str) -> Windows:
    path = (heading,) if heading else ()
    return search_windows(Passage("", "", 1, 0, 0, len(text), text, path))


def _help_pages(data: Path, language: str) -> dict[str, Mapping[str, Any]]:
    rows = read_rows(data / f"prose/libreoffice_help_{language}.jsonl.zst")
    return {row["source"].split("/text/")[1]: row for row in rows}


def _is_usable(page: Mapping[str, Mapping[str, Any]]) -> bool:
    """Long enough, really translated, and with a title that says something and differs from the English one."""
    english = page["en"]["title"]
    if len(english.split()) < 2 or any(page[lang]["title"] == english for lang in page if lang != "en"):
        return False
    if any(len(word_spans(_body(row))) < _MIN_WORDS for row in page.values()):
        return False
    return all(
        _asian_share(_body(page[lang])[:400]) >= share and _asian_share(page[lang]["title"]) >= share
        for lang, share in _TRANSLATED.items()
    )


def _asian_share(text: str) -> float:
    letters = re.sub(r"[\W\d_]", "", text)
    return len(_ASIAN.findall(letters)) / max(1, len(letters))


def _body(row: Mapping[str, Any]) -> str:
    _, _, body = row["text"].partition("\n\n")
    return body if body.strip() else str(row["text"])


def _chinese_sets(data: Path) -> list[LanguageSet]:
    sets = []
    for name, file in (("CMRC zh to zh", "cmrc2018_trial.json"), ("DRCD zh to zh", "DRCD_dev.json")):
        articles = json.loads((data / "multilingual" / file).read_text(encoding="utf-8"))["data"]
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        asked = {p["context"]: [qa["question"] for qa in p["qas"]] for p in paragraphs}
        sets.append(_from_paragraphs(name, asked))
    return sets


def _squad(data: Path) -> LanguageSet:
    asked: dict[str, list[str]] = {}
    for row in read_rows(data / "grounded_qa/squad2.jsonl.zst"):
        if row["answerable"]:
            asked.setdefault(row["passage"], []).append(row["question"])
    return _from_paragraphs("SQuAD en to en", asked)


def _from_paragraphs(name: str, asked: Mapping[str, list[str]]) -> LanguageSet:
    paragraphs = sorted(asked)
    random.Random(_SEED).shuffle(paragraphs)
    paragraphs = paragraphs[:PASSAGES]
    pairs = [(question, n) for n, text in enumerate(paragraphs) for question in asked[text][:_QUESTIONS_A_PASSAGE]]
    questions, places = zip(*pairs, strict=True)
    answers = tuple(frozenset([place]) for place in places)
    return LanguageSet(name, questions, tuple(map(_beginning, paragraphs)), answers)


def _doc2dial(data: Path) -> LanguageSet:
    """Opening questions; a passage answers when the gold text begins in it. More passages than the other sets."""
    spans = [(doc_id, span, span.of(text)) for doc_id, text in read_documents(data).items() for span in _windows(text)]
    turns = [turn for side in ("held_out", "fit") for turn in read_turns(data, side) if turn.kind == "opening"]
    answers = tuple(
        frozenset(
            n
            for n, (doc_id, span, _) in enumerate(spans)
            if doc_id == turn.document and any(span.start <= gold.start < span.end for gold in turn.gold)
        )
        for turn in turns
    )
    questions = tuple(turn.query.question for turn in turns)
    return LanguageSet("Doc2Dial en to en", questions, tuple(text for _, _, text in spans), answers)


def _windows(text: str) -> Iterable[Span]:
    words = word_spans(text)
    for start in range(0, len(words), MAX_PASSAGE_WORDS):
        held = words[start : start + MAX_PASSAGE_WORDS]
        yield Span(held[0].start, held[-1].end)


def _beginning(text: str) -> str:
    return next(iter(_windows(text))).of(text)
