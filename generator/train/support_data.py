"""Sentences with the passage that proves or refutes them, from the public data, to fit and measure the verifier.

Faithful: people's replies to FAQ answers (DSTC9), people's long answers to passages (CLAP NQ), and true sentences that
were reworded or shortened by rule. False: all of these, and sentences as they stand, corrupted. Split by document.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from domain.text import sentence_spans, sentences
from generator.dataset import is_held_out
from generator.train.corruptions import Corruption, corruptions
from generator.train.sources import read_rows
from generator.wording import content_words, stems

_PROSE = ("aws_connect_admin", "segment_docs", "sap_btp", "gnome_help_en", "ms_iis")
_WINDOW = 5
_TEST_SHARE = 0.34
_PLAIN = re.compile(r"^[A-Z][^|<>{}=\\_*#\[\]]{25,220}[.!]$")
_OPENING = re.compile(r"^(?:(?:however|therefore|thus|in addition|for example|also|finally), )", re.IGNORECASE)
_CHATTER = re.compile(
    r"\?\s*$|\b(?:anything else|any (?:other|more) questions|let me know|happy to help|would you like|can i help)\b",
    re.IGNORECASE,
)
_FALSE_STARTS = re.compile(r"^(?:no problem|okay|ok|great|sure|thank you|thanks|good news)[,.!]?\s*$", re.IGNORECASE)
# What a reply may say of its own: that a thing is there, that this is the place, and courtesies. A closed list: no word
# is on it, or off it, for the sake of a verdict.
_SAYS_NOTHING = frozenset(stems(
    "absolutely accept accepted afraid allow allowed apologize available certainly correct currently definitely "
    "establishment fortunately guest guests hotel however location offer offered offers okay permit permitted place "
    "premises property provide provided provides restaurant serve served serves site sorry unfortunately yep"
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """``family`` is the kind of wording where ``is_faithful``, else the kind of lie; ``base`` is what was corrupted.

    ``heading`` stands over the evidence; ``adds_words`` marks people's claims in other words than its own.
    """

    sentence: str
    evidence: str
    family: str
    is_faithful: bool
    base: str
    is_test: bool
    heading: str = ""
    adds_words: bool = False


def faithful_cases(data: Path, rng: random.Random, prose_documents: int = 250) -> Iterator[Case]:
    yield from _reply_cases(data)
    yield from _long_answer_cases(data)
    for sentence, evidence, document in true_sentences(data, rng, prose_documents):
        for family, wording in (("reworded", reworded(sentence, rng)), ("shortened", shortened(sentence))):
            if wording:
                yield Case(wording, evidence, family, True, family, is_test_document(document))


def false_cases(
    data: Path, families: dict[str, Corruption], rng: random.Random, prose_documents: int = 250
) -> Iterator[Case]:
    """Corrupted sentences, of every base: as they stand in the passage, and in people's own words."""
    for case in faithful_cases(data, rng, prose_documents):
        if case.family in ("reply", "long answer", "reworded"):
            for family, false in corruptions(case.sentence, case.evidence, rng, families):
                yield Case(false, case.evidence, family, False, case.family, case.is_test, case.heading)
    for sentence, evidence, document in true_sentences(data, rng, prose_documents):
        for family, false in corruptions(sentence, evidence, rng, families):
            yield Case(false, evidence, family, False, "verbatim", is_test_document(document))


def is_test_document(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] < 256 * _TEST_SHARE


def claims(reply: str) -> list[str]:
    """The sentences of a reply that claim something: no questions, no offers of help, no bare courtesies."""
    found = [
        re.sub(r"\s+(?=(?:Do|Is|Would|Can|Anything|What|Should|Will|Have) .*\?$)", "\n\n", s) for s in sentences(reply)
    ]
    parts = [part for s in found for part in s.split("\n\n")]
    return [p for p in parts if not _CHATTER.search(p) and not _FALSE_STARTS.match(p) and len(p.split()) > 2]


def adds_words(claim: str, source: str) -> bool:
    """True where a word that carries meaning is not the source's own, whatever the verifier would say of it.

    The words are those that the search looks for (``generator.wording``), by stem; ``high chairs`` are ``highchairs``.
    A claim without any such word, as ``Yes, you can.``, is proven by no passage and counts with them. So do true
    rewordings: the rule tells who may have said more, and not who did.
    """
    known, squeezed = stems(source) | _SAYS_NOTHING, _squeezed(source)
    found = content_words(claim)
    return not found or any(t.key not in known and _squeezed(t.raw) not in squeezed for t in found)


def _squeezed(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _reply_cases(data: Path) -> Iterator[Case]:
    for row in read_rows(data / "grounded_qa/dstc9_replies.jsonl.zst"):
        question, answer = row["faq_question"], row["faq_answer"]
        is_test = is_test_document(f"{question}{row['domain']}")
        for claim in claims(row["reply"]):
            more = adds_words(claim, f"{question} {answer} {row['entity'] or ''}")
            yield Case(claim, answer, "reply", True, "reply", is_test, question, more)


def _long_answer_cases(data: Path) -> Iterator[Case]:
    for row in read_rows(data / "grounded_qa/clapnq_answerable.jsonl.zst"):
        title, text = row["passages"][0]["title"], _detokenised(row["passages"][0]["text"])
        for output in row["output"]:
            for sentence in sentences(_detokenised(output["answer"])):
                if len(sentence.split()) > 3:
                    more, is_test = adds_words(sentence, f"{title} {text}"), is_test_document(title)
                    yield Case(sentence, text, "long answer", True, "long answer", is_test, title, more)


def true_sentences(data: Path, rng: random.Random, prose_documents: int) -> Iterator[tuple[str, str, str]]:
    """(sentence, its passage, its document) of help texts and government FAQ; held-out documents stay out."""
    texts = [
        (row["doc_id"], row["text"])
        for row in read_rows(data / "grounded_qa/doc2dial_docs.jsonl.zst")
        if not is_held_out(row["doc_id"])
    ]
    for name in _PROSE:
        rows = list(read_rows(data / f"prose/{name}.jsonl.zst"))
        texts += [(row["title"], row["text"]) for row in rng.sample(rows, min(prose_documents, len(rows)))]
    faq = list(read_rows(data / "faq/mined_docs_faq.jsonl.zst"))
    texts += [(row["question"], row["answer"]) for row in rng.sample(faq, min(2 * prose_documents, len(faq)))]
    for document, text in texts:
        spans = sentence_spans(text[:8000])
        found = [" ".join(span.of(text).split()) for span in spans]
        plain = [i for i, s in enumerate(found) if _PLAIN.match(s)]
        for i in rng.sample(plain, min(3, len(plain))):
            window = spans[max(0, i - _WINDOW // 2) : i + _WINDOW // 2 + 1]
            # Its paragraphs and headings stay apart, as they do in a passage.
            yield found[i], text[window[0].start : window[-1].end], document


# A verb is put for a verb and a clause for a clause: what stands behind tells which it is.
_REWORDINGS = (
    (r"\bcannot\b", "can't"), (r"\bdo not\b", "don't"), (r"\bdoes not\b", "doesn't"), (r"\bis not\b", "isn't"),
    (r"\b[Yy]ou can\b(?!['’])", "you are able to"), (r"\bmust\b", "have to"), (r"\bneed to\b", "have to"),
    (r"\bprior to\b", "before"), (r"\bbefore\b", "prior to"), (r"\bin order to\b", "to"),
    (r"\buse\b(?= (?:a|an|the|your|this|these|one)\b)", "make use of"), (r"\ballows you to\b", "lets you"),
    (r"\bprovides\b", "offers"),
    (r"(?<!see )(?<!even )(?<!as )\bif\b(?= (?:you|we|the|a|an|your|it|they|there)\b)", "in case"),
    (r"\bshow\b", "display"), (r"\bdisplays\b", "shows"), (r"\bselect\b", "choose"), (r"\bchoose\b", "select"),
    (r"\bpurchase\b", "buy"), (r"\bobtain\b", "get"), (r"\breceive\b", "get"), (r"\bdelete\b", "remove"),
    (r"\bcreate\b", "make"), (r"\bhelp\b", "assist"), (r"\bapproximately\b", "about"),
    (r"\bat least\b", "a minimum of"), (r"\bmore than\b", "over"), (r"\bonly\b", "just"),
    (r"\bautomatically\b", "by itself"), (r"\brequires\b", "needs"), (r"\brequired\b", "necessary"),
    (r"\bmultiple\b", "several"), (r"\bsend\b", "submit"),
    (r"\bcomplete\b(?= (?:a|an|the|your|this|these)\b)", "finish"),
    (r"\bstart\b(?! (?:and|or|date|time|page|menu|button|up)\b)", "begin"),
    (r"\bend\b(?= (?:a|an|the|your|this)\b)", "finish"),
)  # fmt: skip


def reworded(sentence: str, rng: random.Random) -> str | None:
    """The clauses in another order, or up to two words put differently."""
    first = re.match(r"^(If|When|Unless|After|Before) ([^,;]{8,}), ([^,;]{8,})\.$", sentence)
    if first and rng.random() < 0.6:
        return f"{first[3][:1].upper()}{first[3][1:]} {first[1].lower()} {first[2]}."
    rules = [rule for rule in _REWORDINGS if re.search(rule[0], sentence)]
    made = sentence
    for pattern, new in rng.sample(rules, min(2, len(rules))):
        made = re.sub(pattern, new, made, count=1)
    made = made[:1].upper() + made[1:]
    return made if made != sentence else None


def shortened(sentence: str) -> str | None:
    """Without a bracket, an opening adverb, a non-restrictive clause or a second main clause."""
    made = re.sub(r" \([^()]*\)", "", sentence)
    made = _OPENING.sub("", made)
    made = re.sub(r", which [^,;]*(?=[,.])", "", made)
    made = re.sub(r", (?:and|so) (?:you|it|they|we|this|the) [^,;]*\.$", ".", made)
    made = re.sub(r",? because [^,;]*\.$", ".", made)
    made = made[:1].upper() + made[1:]
    return made if made != sentence and len(made.split()) > 4 else None


def _detokenised(text: str) -> str:
    text = re.sub(r"\s+([,.;:!?%)]|n't\b|'s\b)", r"\1", text)
    return re.sub(r"([($£€])\s+", r"\1", text.replace("``", '"').replace("''", '"').replace(" - ", "-"))
