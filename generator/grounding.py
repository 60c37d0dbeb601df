"""The proof: may this sentence be said, given this passage?

A sentence is supported at once when it says the same as one to three adjacent sentences of the passage (more where they
are list items), token by token and in order. What may differ is only what cannot change the meaning: inflection,
articles, punctuation, the spelling of a number, an amount or a negation, and a few polite words.

Any other sentence is a paraphrase, to be compared claim by claim (``generator.support``): every word that matters,
every number, unit, name, negation, duty, bound and condition has to stand in the same role in one sentence of the
passage, and what is left out may narrow nothing. A true paraphrase may still be refused, which costs a quotation in its
place; the other mistake would cost trust. ``docs/verifier.md`` has the rule and its figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from domain.text import Span, sentence_spans
from generator.support import best_support
from generator.support_model import shipped_model
from generator.tokens import Token, is_same_word, tokens

_FREE_WORDS = frozenset(("please", "also"))
_NEGATIONS = frozenset(("not", "no", "never", "without", "nor", "neither", "none", "nobody", "noth", "hard", "non"))
_CONDITIONS = frozenset(
    (
        "if",
        "unless",
        "onli",
        "until",
        "befor",
        "after",
        "except",
        "provid",
        "when",
        "while",
        "but",
        "howev",
        "as",
        "from",
    )
)
_MAX_ADJACENT = 3
_MAX_LIST_ITEMS = 10
_LIST_MARKS = "-*•|"
_STOPS = ".!…。！｡۔।"
_QUESTION_MARKS = "?？؟"
_CLOSING = "\"'”’)]」』）"


class Reason(StrEnum):
    """Why a sentence passed or failed; the receipt keeps it for the operator."""

    SUPPORTED = "supported"
    EMPTY = "nothing to prove"
    NUMBER = "a number, amount or unit that the passage does not give here"
    NEGATION = "a negation was added or lost"
    CONDITION = "a condition was added or lost"
    NAME = "a name that the passage does not give here"
    NEW_WORDS = "words that the passage does not say here"
    LEFT_OUT = "words of the passage that change the meaning were left out"
    ORDER = "the words stand in another order"
    BOUNDARY = "a sentence ends elsewhere, or a question became a statement"
    CONTEXT = "proven, but its heading or the sentence after it changes what it says"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``span`` is the supporting stretch of the evidence text, None without support.

    ``score`` (0..1) is 1 for a copy; for any other sentence the model's probability that the passage supports it.
    """

    supported: bool
    span: Span | None
    reason: Reason
    score: float


@dataclass(frozen=True, slots=True)
class _Wording:
    """Tokens, and how the sentences among them end: after so many of them, with ``.``, ``?`` or nothing (an item)."""

    tokens: list[Token]
    ends: dict[int, str]


def verify(sentence: str, evidence_text: str, heading: str = "") -> Verdict:
    """Decide whether ``evidence_text`` proves ``sentence``; of copies the shortest proving stretch wins.

    Both texts may hold line breaks; square and round brackets are the same, as in the prompt. ``heading`` is what
    stands over the evidence, the FAQ entry's question or a title, which may say what its first sentence is about.
    """
    said = _joined([_read(span.of(sentence)) for span in sentence_spans(sentence)])
    if not said.tokens:
        return Verdict(False, None, Reason.EMPTY, 0.0)
    best, likest = 0.0, None
    for span, shown in _stretches(evidence_text):
        if _same_words(said, shown) and _same_ends(said.ends, shown.ends):
            return Verdict(True, span, Reason.SUPPORTED, 1.0)
        if abs(len(shown.tokens) - len(said.tokens)) < len(said.tokens):
            score = _likeness(said.tokens, shown.tokens)
            best, likest = (score, shown) if score > best else (best, likest)
    model = shipped_model()
    plain = " ".join(sentence.split())
    found = best_support(plain, evidence_text, model.weigh, heading) if _is_readable(said) else None
    if found is not None and model.accepts(found.differences):
        return Verdict(True, found.span, Reason.SUPPORTED, min(model.probability(found.differences), 0.999))
    return Verdict(False, None, _reason(said, likest), model.probability(found.differences) if found else 0.0)


def _is_readable(said: _Wording) -> bool:
    """Paraphrases are judged in Latin letters only: nothing is known here of the words of other scripts."""
    return all(c < "\u0250" or not c.isalpha() for token in said.tokens for c in token.raw)


def _read(sentence: str) -> _Wording:
    found = [token for token in tokens(sentence) if token.raw.lower() not in _FREE_WORDS]
    last = sentence.rstrip(_CLOSING)[-1:]
    return _Wording(found, {len(found): "?" if last in _QUESTION_MARKS else "." if last in _STOPS else ""})


def _joined(parts: Sequence[_Wording]) -> _Wording:
    ends: dict[int, str] = {}
    found: list[Token] = []
    for part in parts:
        found.extend(part.tokens)
        if part.tokens:
            ends.update({len(found): end for end in part.ends.values()})
    return _Wording(found, ends)


def _stretches(text: str) -> Iterator[tuple[Span, _Wording]]:
    """One sentence first, then two, and so on: the first proof found is the shortest."""
    spans = sentence_spans(text)
    parsed = [_read(span.of(text)) for span in spans]
    is_item = [span.of(text)[0] in _LIST_MARKS or span.of(text)[-1] == ":" for span in spans]
    for size in range(1, min(len(spans), _MAX_LIST_ITEMS) + 1):
        for i in range(len(spans) - size + 1):
            if size <= _MAX_ADJACENT or all(is_item[i : i + size]):
                yield Span(spans[i].start, spans[i + size - 1].end), _joined(parsed[i : i + size])


def _same_words(said: _Wording, shown: _Wording) -> bool:
    return len(said.tokens) == len(shown.tokens) and all(map(is_same_word, said.tokens, shown.tokens))


def _same_ends(said: Mapping[int, str], shown: Mapping[int, str]) -> bool:
    """Full stops and question marks stay where they are; the items of a list may be told in one sentence."""
    for place in said.keys() | shown.keys():
        ours, theirs = said.get(place), shown.get(place)
        if theirs is None or (ours is None and theirs):
            return False
        if "?" in (ours, theirs) and ours != theirs:
            return False
    return True


def _likeness(said: Sequence[Token], shown: Sequence[Token]) -> float:
    if not {token.key for token in said} & {token.key for token in shown}:
        return 0.0
    matcher = SequenceMatcher(None, [t.key for t in said], [t.key for t in shown], autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(said)


def _reason(said: _Wording, shown: _Wording | None) -> Reason:
    """The gravest difference from the likest stretch, for the receipt; the verdict does not depend on it."""
    if shown is None:
        return Reason.NEW_WORDS
    if _same_words(said, shown):
        return Reason.BOUNDARY
    said_keys, shown_keys = Counter(t.key for t in said.tokens), Counter(t.key for t in shown.tokens)
    added, lost = said_keys - shown_keys, shown_keys - said_keys
    if sum(added.values()) > len(said.tokens) / 2:
        return Reason.NEW_WORDS
    if any(key in _NEGATIONS for key in (*added, *lost)):
        return Reason.NEGATION
    if any(c.isdigit() for key in added for c in key):
        return Reason.NUMBER
    if any(key in _CONDITIONS for key in (*added, *lost)):
        return Reason.CONDITION
    if any(token.key in added and token.raw[:1].isupper() for token in said.tokens[1:]):
        return Reason.NAME
    if added:
        return Reason.NEW_WORDS
    return Reason.LEFT_OUT if lost else Reason.ORDER
