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
# Scripts that put no spaces between words: Chinese and Japanese, Thai, Lao, Burmese, Khmer.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3"
_PIECE = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+(?:[-.][^\W_{_UNSPACED}]+)*")
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]")
_COMPOUND = re.compile(r"[-.]")
_POSSESSIVE = re.compile(r"'s\b")
_ARABIC = re.compile("[\u0620-\u06d3]")
# The article, alone or joined to "and", "then", "with", "as" and "to"; three letters have to remain.
_ARABIC_ARTICLE = re.compile(r"^[وف]?(?:[بك]?ال|لل)(?=\w{3})")
_ARABIC_SPELLINGS = str.maketrans({"ى": "ي", "ة": "ه", "ـ": None})  # typed at will; the last only stretches a word


def extract_terms(texts: Iterable[str]) -> list[list[str]]:
    """Terms of each text, in order, repeats kept: English stems, folded numbers, CJK bigrams.

    A function of the text alone, whatever its language, so that documents and queries agree. The English stemmer serves
    every Latin script: the right language's gains at most a point (docs/retriever.md, Languages).

    A compound gives its parts and itself without the joint, so that "wi-fi", "wi fi" and "wifi" meet.
    """
    stemmer = Stemmer.Stemmer("english")  # one a call: a stemmer must not be shared between threads
    return [stemmer.stemWords(list(_words(text))) for text in texts]


def _words(text: str) -> Iterator[str]:
    for match in _PIECE.finditer(_fold(text)):
        piece = match.group()
        yield from _bigrams(piece) if _UNSPACED_RUN.match(piece) else _parts(piece)


def _bigrams(run: str) -> Iterator[str]:
    """Where words are not marked, overlapping pairs of characters stand in for them."""
    if len(run) == 1:
        yield run
    for start in range(len(run) - 1):
        yield run[start : start + 2]


def _parts(piece: str) -> Iterator[str]:
    if _ARABIC.match(piece):
        yield _ARABIC_ARTICLE.sub("", piece.translate(_ARABIC_SPELLINGS))
        return
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
