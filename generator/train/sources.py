"""Reads the public data sets and turns them into seeds: questions beside the passages that answer them.

One function a data set. Each yields ``Seed`` (see ``generator.dataset``); the share of each source in the mix is
settled later, in ``generator.train.build``. Documents held out to judge the product are skipped here, at the door.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zstandard

from domain.chat import ChatMessage, Role
from domain.text import Span, sentence_spans, sentences
from generator.condense import carried, condense
from generator.dataset import Seed, SeedPassage, content_words, is_held_out
from generator.train.asking import ask_about, keyword_question, sentence_question

ENGLISH_PROSE = (
    "aws_connect_admin",
    "debian_manuals_en",
    "dict_foldoc",
    "gimp_help_en",
    "gnome_help_en",
    "kde_help_en",
    "libreoffice_help_en",
    "ms_biztalk_his",
    "ms_dynamicsax2012_technet",
    "ms_iis",
    "ms_vba_office",
    "openstack_docs",
    "programming_docs",
    "sap_btp",
    "segment_docs",
    "sysadmin_docs",
    "vespa_docs",
)
_MAX_SENTENCE_WORDS = 45
_ENOUGH_WORDS = 12  # an answer shorter than this takes the next sentence with it
_PASSAGE_SENTENCES = 6
_MAX_ANSWER_SENTENCES = 3


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a ``.jsonl.zst`` file."""
    with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            yield json.loads(line)


def all_seeds(data: Path, rng: random.Random, prose_documents: int) -> Iterator[Seed]:
    """Every seed of every source that may be trained on (``sentiment/`` and held-out Doc2Dial documents may not)."""
    yield from squad_seeds(read_rows(data / "grounded_qa/squad2.jsonl.zst"), "squad2")
    yield from squad_seeds(read_rows(data / "grounded_qa/covidqa.jsonl.zst"), "covidqa")
    for name in ("answerable", "unanswerable"):
        yield from clapnq_seeds(read_rows(data / f"grounded_qa/clapnq_{name}.jsonl.zst"))
    yield from read_doc2dial(data)
    replies = read_rows(data / "grounded_qa/dstc9_replies.jsonl.zst")
    yield from dstc9_seeds(read_rows(data / "faq/dstc9_faq.jsonl.zst"), replies)
    yield from faq_seeds(read_rows(data / "faq/medquad.jsonl.zst"), "medquad", rng)
    yield from faq_seeds(read_rows(data / "faq/mined_docs_faq.jsonl.zst"), "mined_docs_faq", rng)
    for name in ENGLISH_PROSE:
        rows = list(read_rows(data / f"prose/{name}.jsonl.zst"))
        yield from prose_seeds(rng.sample(rows, min(prose_documents, len(rows))), rng)


def read_doc2dial(data: Path, held_out: bool = False) -> Iterator[Seed]:
    documents = {row["doc_id"]: row["text"] for row in read_rows(data / "grounded_qa/doc2dial_docs.jsonl.zst")}
    yield from doc2dial_seeds(documents, read_rows(data / "grounded_qa/doc2dial_turns.jsonl.zst"), held_out)


def squad_seeds(rows: Iterable[dict[str, Any]], source: str) -> Iterator[Seed]:
    """The answer is the whole sentence around the short answer; long passages are cut to its neighbourhood."""
    for row in rows:
        spans = sentence_spans(row["passage"])
        at = int(row["answer_start"]) if row["answerable"] and row["answer"] else -1
        hit = next((i for i, s in enumerate(spans) if s.start <= at < s.end), None)
        if (hit is None and at >= 0) or not spans:
            continue
        low = max(0, (hit or 0) - 5) if len(spans) > 12 else 0
        kept = [" ".join(span.of(row["passage"]).split()) for span in spans[low : low + 12]]
        if hit is not None and len(kept[hit - low].split()) > 60:
            continue
        title = str(row["title"]).replace("_", " ")
        document = title or row["passage"][:120]
        answer = () if hit is None else (hit - low,)
        passage = SeedPassage(document, title, tuple(kept))
        yield Seed(source, row["question"], passage, answer, show_heading=_coin(row["id"]))


def clapnq_seeds(rows: Iterable[dict[str, Any]]) -> Iterator[Seed]:
    for row in rows:
        shown = row["passages"][0]
        kept = tuple(shown["sentences"])
        chosen = [i for i, s in enumerate(kept) if s in set(row["output"][0]["selected_sentences"])]
        if row["output"][0]["selected_sentences"] and not chosen:
            continue
        run = tuple(i for n, i in enumerate(chosen[:_MAX_ANSWER_SENTENCES]) if i == chosen[0] + n)
        yield Seed("clapnq", row["input"], SeedPassage(shown["title"], shown["title"], kept), run)


def doc2dial_seeds(documents: dict[str, str], rows: Iterable[dict[str, Any]], held_out: bool = False) -> Iterator[Seed]:
    """Turns with what was said before them, as the agent keeps it (``generator.condense.carried``).

    A turn that shares no word with its answer, as it would be searched for, is left out: "yes" has no evidence even
    so. ``held_out`` gives the documents kept from all fitting instead of the others; for measuring only.
    """
    spans_of = {doc: sentence_spans(text) for doc, text in documents.items() if is_held_out(doc) == held_out}
    for row in rows:
        spans = spans_of.get(row["doc_id"])
        if spans is None or not row["answer_starts"]:
            continue
        text = documents[row["doc_id"]]
        history = [as_message(turn) for turn in row.get("history", ())]
        asked = condense(row["question"], history)
        hits = _sentences_under(spans, row["answer_starts"], row["answer_spans"])
        told = " ".join(spans[i].of(text) for i in hits)
        if len(asked.split()) < 4 or not 4 <= len(told.split()) <= 70 or not content_words(asked) & content_words(told):
            continue
        block = hits[0] // _PASSAGE_SENTENCES * _PASSAGE_SENTENCES
        low, high = min(block, hits[0]), max(block + _PASSAGE_SENTENCES, hits[-1] + 1)
        kept = tuple(" ".join(span.of(text).split()) for span in spans[low:high])
        heading = re.sub(r"#\d+_\d+$", "", row["doc_id"])
        passage = SeedPassage(row["doc_id"], heading, kept)
        answer = tuple(i - low for i in hits)
        shows = _coin(row["id"])
        yield Seed("doc2dial", row["question"], passage, answer, show_heading=shows, before=carried(history))


def as_message(turn: dict[str, str]) -> ChatMessage:
    """A Doc2Dial turn as the product keeps it."""
    return ChatMessage(Role.USER if turn["role"] == "customer" else Role.ASSISTANT, turn["content"])


def _sentences_under(spans: Sequence[Span], starts: Sequence[int], texts: Sequence[str]) -> list[int]:
    """The run of up to three sentences that the first gold span touches, with those of the other spans next to it."""
    hits: list[int] = []
    for start, text in zip(starts, texts, strict=True):
        gold = Span(int(start), int(start) + len(text.rstrip()))
        for i, span in enumerate(spans):
            if is_under(span, gold) and (not hits or i - hits[-1] == 1):
                hits.append(i)
    return hits[:_MAX_ANSWER_SENTENCES]


def is_under(span: Span, gold: Span) -> bool:
    """True when the two share at least half of the shorter one."""
    shared = min(span.end, gold.end) - max(span.start, gold.start)
    return 2 * shared >= min(span.end - span.start, gold.end - gold.start)


def dstc9_seeds(faqs: Iterable[dict[str, Any]], replies: Iterable[dict[str, Any]]) -> Iterator[Seed]:
    """FAQ answers copied; and human replies, without the closing question that no document supports."""
    for row in faqs:
        kept = tuple(sentences(row["answer"]))
        entity = faq_document(row)
        heading = row["question"] if _coin(row["question"]) else entity
        if kept:
            yield Seed("dstc9_faq", row["question"], SeedPassage(entity, heading, kept), _enough(kept))
    for row in replies:
        kept = tuple(sentences(row["faq_answer"]))
        told = [s for s in sentences(row["reply"]) if not s.endswith("?")][:1]
        if kept and told and content_words(told[0]) & content_words(row["faq_answer"]):
            entity = str(row["entity"]).title()
            yield Seed("dstc9_replies", row["faq_question"], SeedPassage(entity, entity, kept), _enough(kept), told[0])


def faq_document(row: dict[str, Any]) -> str:
    """The document that an entry of any FAQ set belongs to: the split is by document."""
    return str(row["entity"]).title() if "entity" in row else row.get("doc") or str(row["id"]).rpartition("-")[0]


def faq_seeds(rows: Iterable[dict[str, Any]], source: str, rng: random.Random) -> Iterator[Seed]:
    for row in rows:
        kept = tuple(plain_sentences(re.sub(r"^(Answer|A):\s*", "", row["answer"]), _PASSAGE_SENTENCES))
        document = faq_document(row)
        question = row["question"].replace(" ?", "?").replace("(are) ", "")
        if not kept or content_words(kept[0]) == content_words(question):
            continue
        topic = row.get("focus") or row.get("title") or ""
        heading = rng.choice((question, topic, topic, ""))
        yield Seed(source, question, SeedPassage(document, heading, kept), _enough(kept))


def prose_seeds(rows: Iterable[dict[str, Any]], rng: random.Random) -> Iterator[Seed]:
    """Up to three seeds from a section: its heading as a question, a few words of one sentence, one sentence turned."""
    for row in rows:
        for heading, body in sections(row["title"], row["text"]):
            kept = tuple(plain_sentences(body, _PASSAGE_SENTENCES))
            if not kept:
                continue
            told = content_words(heading) & content_words(kept[0])
            shown = rng.choice((f"{row['title']} > {heading}", heading, row["title"], "") if told else (heading,))
            passage = SeedPassage(row["source"], shown[:100], kept)
            yield Seed("prose_headings", ask_about(heading, rng), passage, _enough(kept))
            i, j = rng.randrange(len(kept)), rng.randrange(len(kept))
            if fragment := keyword_question(kept[i], rng):
                yield Seed("prose_keywords", fragment, passage, (i,))
            if turned := sentence_question(kept[j], rng):
                yield Seed("prose_sentences", turned, passage, (j,))


def sections(title: str, text: str) -> Iterator[tuple[str, str]]:
    """(heading, body) pairs: a short line without an end mark, and the running text up to the next one."""
    heading, body = title, ""
    for paragraph in re.split(r"\n\s*\n|\n(?=[A-Z])", text[:20000]):
        line = paragraph.strip()
        if 1 < len(line.split()) <= 10 and line[0].isupper() and line[-1].isalpha() and "|" not in line:
            if body:
                yield heading, body
            heading, body = line, ""
        elif len(body) < 2500:
            body += line + "\n\n"
    if body:
        yield heading, body


def plain_sentences(text: str, limit: int) -> list[str]:
    """The leading run of sentences that read as prose: whole, mostly letters, neither tiny nor endless."""
    kept: list[str] = []
    for sentence in sentences(text[:3000]):
        flat = " ".join(sentence.split())
        letters = sum(c.isalpha() or c == " " for c in flat)
        good = flat[0].isupper() and flat[-1] in ".!" and letters > 0.85 * len(flat)
        if good and 4 <= len(flat.split()) <= _MAX_SENTENCE_WORDS:
            kept.append(flat)
        elif kept:
            break
        if len(kept) == limit:
            break
    return kept


def _enough(kept: tuple[str, ...]) -> tuple[int, ...]:
    """The first sentence, with those after it (three at most) until there are enough words for an answer."""
    total = 0
    for i, sentence in enumerate(kept[:3]):
        total += len(sentence.split())
        if total >= _ENOUGH_WORDS:
            return tuple(range(i + 1))
    return tuple(range(min(3, len(kept))))


def _coin(key: object) -> bool:
    return bool(sum(str(key).encode()) % 2)
