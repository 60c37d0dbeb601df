"""The best support that a passage has for a sentence that is no copy of it: which sentences, and what is different.

Each claim of the sentence has to stand in ONE sentence of the passage, and all of them in three adjacent ones: that is
what keeps two facts from being merged into a third. What remains is a list of differences for the model to weigh.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from domain.text import Span, sentence_spans
from generator.alignment import align
from generator.comparison import NAMING
from generator.differences import compare
from generator.operators import Kind
from generator.readings import readings, wordings
from generator.terms import Term, terms

_MAX_ADJACENT = 3
_MAX_TRIED = 4
_CLOSING = "\"'”’)]」』）"
_INTERJECTION = re.compile(
    r"^(?:(?:yes|sorry|unfortunately|i(?:['’]m| am) (?:sorry|afraid)(?:,? but)?|sure|of course)[,.!: ]+|"
    r"no(?:[,.!:;]\s*|\s+(?=(?:the|they|we|you|there|it|this|i['’]m|that)\b))(?:i(?:['’]m| am) sorry[,.!: ]*)?)+",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^(?:note|tip|hint|important|warning|caution|recommendation|example|for example|answer|a)[:,] ", re.IGNORECASE
)
_YES_OR_NO = re.compile(r"^(yes|no)\b[,.;: ]", re.IGNORECASE)
_POINTS_BACK = re.compile(r"^(?:it|this|that|these|those)\b", re.IGNORECASE)
_PAST = re.compile(r"\b(?:had|(?:was|were)(?!n['’]t\b| not\b)(?! \w+(?:ed|en|t|n)\b))\b", re.IGNORECASE)
_PAST_SHOWN = re.compile(r"\b(?:had|was|were|been|did|\w{2,}ed)\b", re.IGNORECASE)
_HERE = re.compile(
    r"\b(?:they|we|it|here|this|that|our|their|its|us|hotel|restaurant|premises|property|establishment|on[- ]?site|"
    r"there(?! (?:is|are|will|may|can|was|were)))\b",
    re.IGNORECASE,
)
_PARTS = re.compile(
    r";\s+|,?\s+(?:and|but|so|while|thus,?)\s+(?=(?:we|you|they|it|there|the|this|your|our)\b)|,\s+(?=(?:we|you|they|it|there)\b)"
)
_CONDITIONAL = re.compile(r"^(?:if|when|unless|after|before|until|while|once|for|in|with)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Support:
    """``span`` of the passage, and how often the sentence differs from it by each kind of difference."""

    span: Span
    differences: Mapping[str, int]


Weigh = Callable[[Mapping[str, int]], float]


def best_support(sentence: str, text: str, weigh: Weigh, heading: str = "") -> Support | None:
    """The stretch whose differences weigh least, for the sentence as a whole or claim by claim.

    Args:
        weigh: the graver the differences, the larger; the whole is taken unless its claims apart weigh less.

        heading: what stands over the passage; it may say what its first sentence is about, and proves nothing else.

    Returns:
        None where the passage shares no word that matters with the sentence.
    """
    spans = sentence_spans(text)
    whole = _best(sentence, text, spans, weigh, heading)
    parts = _claims(sentence)
    if len(parts) < 2 or (whole is not None and not any(whole.differences.values())):
        return whole
    held = [found for part in parts if (found := _best(part, text, spans, weigh, heading)) is not None]
    at = [next(i for i, s in enumerate(spans) if s.end == support.span.end) for support in held]
    if len(held) < len(parts) or any(not 0 <= b - a <= 1 for a, b in pairwise(at)):
        return whole
    span = Span(held[0].span.start, held[-1].span.end)
    if sum(s.start < span.end and s.end > span.start for s in spans) > _MAX_ADJACENT:
        return whole
    joined = Support(span, sum((Counter(support.differences) for support in held), Counter()))
    return joined if whole is None or weigh(joined.differences) < weigh(whole.differences) else whole


def _claims(sentence: str) -> list[str]:
    """The clauses that claim something by themselves; conditions stay with what they are conditions of."""
    whole = [span.of(sentence) for span in sentence_spans(sentence)]
    parts: list[str] = []
    for part in whole:
        cut = [piece.strip() for piece in _PARTS.split(part) if piece.strip()]
        is_safe = all(len(piece.split()) > 2 for piece in cut) and not _CONDITIONAL.match(part)
        parts.extend(cut if is_safe else [part])
    return parts


def _best(claim: str, text: str, spans: Sequence[Span], weigh: Weigh, heading: str) -> Support | None:
    ours = [terms(wording) for wording in wordings(_bare(claim))]
    keys = {term.key for term in ours[0] if term.kind in NAMING and not term.is_light}
    best: Support | None = None
    shared = sorted((-len(keys & _keys(span.of(text))), i) for i, span in enumerate(spans))
    for n, i in [pair for pair in shared if pair[0]][:_MAX_TRIED]:
        if best is not None and -n < len(keys) / 3:
            break
        for start, shown in readings(text, spans, i):
            for said in ours:
                found = _differences(claim, said, shown, terms(heading) if i == 0 else ())
                if best is None or weigh(found) < weigh(best.differences):
                    best = Support(Span(spans[start].start, spans[i].end), found)
    return best


def _differences(claim: str, said: Sequence[Term], shown: str, heading: Sequence[Term]) -> Mapping[str, int]:
    differences = compare(align(said, terms(_bare(shown))), heading)
    found = differences.found
    if not differences.weighty:
        found["new"] += 1
    found["question"] += any(text.rstrip(_CLOSING).endswith(("?", "？")) for text in (claim, shown))
    if re.search(r":\s", _bare(shown).rstrip(": ")):  # a label and its value: neither stands alone
        found["restriction"] += len(
            {t.segment for t in differences.shown} - {differences.shown[j].segment for j in differences.of_shown}
        )
    found["exchanged"] += found["turns"] > 1 + differences.turned
    found["tense"] += bool(_PAST.search(claim)) and not _PAST_SHOWN.search(shown)
    found["name"] += _abbreviations(claim) != _abbreviations(shown)
    answer, theirs = _YES_OR_NO.match(claim), _YES_OR_NO.match(shown)
    if answer and not (theirs and theirs[1].lower() == answer[1].lower()):
        is_denied = any(term.kind is Kind.NEGATION for term in said)
        found["negation"] += is_denied != (answer[1].lower() == "no")
    if found["name left out"] and not _HERE.search(claim):
        found["nameless"] += 1
    elif _HERE.search(claim) and differences.opens_with_name:
        found["substitution"], found["name left out"] = max(0, found["substitution"] - 1), 0  # "they" are that name
    bare = _bare(claim)
    if _POINTS_BACK.match(bare) and not _POINTS_BACK.match(_bare(shown)) and differences.weighty:
        first = min(place for _, place in differences.weighty)
        found["pronoun"] += any(t.kind is Kind.CONTENT and not t.is_light for t in differences.shown[:first])
    return {name: n for name, n in found.items() if n}


def _abbreviations(text: str) -> set[str]:
    """``US`` and ``IT``, which in small letters are other words."""
    return set(re.findall(r"\b(?:US|IT|WHO)\b", text)) if not text.isupper() else set()


@lru_cache(maxsize=4096)
def _keys(sentence: str) -> frozenset[str]:
    return frozenset(term.key for term in terms(_bare(sentence)))


def _bare(sentence: str) -> str:
    """Without the label and the interjections in front, which claim nothing by themselves."""
    for lead in (_LABEL, _INTERJECTION):
        if match := lead.match(sentence):
            sentence = sentence[match.end() :]
    return sentence
