"""Search terms: what of a text the lexical index keeps."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

import Stemmer

# Words that a question holds whatever it asks. BM25 gives them little weight in a large knowledge base, but in one of
# ten passages "please" may be rare; so they are left out everywhere.
# fmt: off
STOP_WORDS = frozenset((
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do",
    "does", "for", "from", "had", "has", "have", "hello", "hey", "hi", "how", "i", "id", "if", "ill", "im", "in", "is",
    "it", "its", "ive", "just", "know", "may", "me", "my", "of", "on", "or", "our", "please", "pls", "plz", "shall",
    "should", "so", "some", "tell", "thank", "thanks", "that", "the", "their", "them", "then", "there", "these",
    "they", "this", "those", "to", "u", "us", "was", "we", "were", "what", "whats", "when", "where", "which", "who",
    "why", "will", "with", "would", "you", "your",
))
# fmt: on
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECE = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:[-.][^\W_{_CJK}]+)*")
_CJK_RUN = re.compile(f"[{_CJK}]")
_COMPOUND = re.compile(r"[-.]")
_POSSESSIVE = re.compile(r"'s\b")


def extract_terms(texts: Iterable[str]) -> list[list[str]]:
    """Terms of each text, in order, repeats kept: English stems, folded numbers, CJK bigrams.

    A compound gives its parts and itself without the joint, so that "wi-fi", "wi fi" and "wifi" meet.
    """
    stemmer = Stemmer.Stemmer("english")  # one a call: a stemmer must not be shared between threads
    return [stemmer.stemWords(list(_words(text))) for text in texts]


def _words(text: str) -> Iterator[str]:
    for match in _PIECE.finditer(_fold(text)):
        piece = match.group()
        yield from _bigrams(piece) if _CJK_RUN.match(piece) else _parts(piece)


def _bigrams(run: str) -> Iterator[str]:
    """Chinese and Japanese do not mark words; overlapping pairs of characters stand in for them."""
    if len(run) == 1:
        yield run
    for start in range(len(run) - 1):
        yield run[start : start + 2]


def _parts(piece: str) -> Iterator[str]:
    parts = _COMPOUND.split(piece)
    if len(parts) > 1:
        yield "".join(parts)
    yield from (part for part in parts if part not in STOP_WORDS)


def _fold(text: str) -> str:
    """Case, accents and apostrophes are typed at will; the composed form at the end puts Hangul together again."""
    if text.isascii():
        return _POSSESSIVE.sub("", text.lower()).replace("'", "")
    folded = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    bare = "".join(character for character in folded if unicodedata.category(character) != "Mn")
    return unicodedata.normalize("NFC", _POSSESSIVE.sub("", bare).replace("'", ""))
