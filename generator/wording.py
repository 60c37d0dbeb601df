"""Which words of a customer's message carry what it is about."""

from __future__ import annotations

from domain.text import words
from generator.tokens import Token, stem, tokens

# Function words, and the words that every question is made of whatever it asks for.
# fmt: off
_EMPTY = frozenset((
    "a", "about", "above", "actually", "after", "again", "all", "already", "also", "am", "an", "and", "any", "anyone",
    "anything", "are", "around", "as", "ask", "at", "back", "be", "because", "been", "before", "being", "both", "but",
    "by", "can", "could", "d", "did", "do", "does", "doing", "done", "during", "each", "else", "ever", "exactly",
    "far", "few", "find", "for", "from", "get", "gets", "give", "go", "going", "gonna", "got", "guys", "had", "has",
    "have", "having", "he", "hello", "help", "her", "here", "hey", "hi", "him", "his", "honestly", "how", "i", "if",
    "in", "into", "is", "it", "its", "just", "kind", "know", "let", "like", "ll", "long", "lot", "lovely", "m",
    "make", "many", "may", "maybe", "me", "might", "mine", "more", "most", "much", "must", "my", "myself", "need",
    "no", "not", "now", "of", "off", "often", "ok", "okay", "on", "once", "one", "only", "or", "other", "our", "out",
    "over", "own", "please", "possible", "put", "question", "quick", "re", "really", "right", "s", "same", "say",
    "shall", "she", "should", "so", "some", "someone", "something", "still", "such", "sure", "t", "take", "tell",
    "than", "thank", "thanks", "that", "the", "their", "them", "then", "there", "these", "they", "thing", "this",
    "those", "to", "too", "u", "under", "until", "up", "us", "use", "using", "ve", "very", "want", "was", "we", "wen",
    "were", "what", "whats", "when", "where", "whether", "which", "while", "who", "whoever", "whom", "whose", "why",
    "wich", "will", "with", "within", "without", "wonder", "work", "would", "yes", "you", "your", "yours", "yourself",
))
# fmt: on


def content_words(text: str) -> list[Token]:
    """The words that say what a question is about, in order and without repeats (by stem)."""
    found: dict[str, Token] = {}
    for token in tokens(text):
        if token.raw.lower() in _EMPTY and not _is_label(token):
            continue
        if any(c.isalnum() for c in token.raw) and (len(token.raw) > 1 or not token.raw.isalpha() or _is_label(token)):
            found.setdefault(token.key, token)
    return list(found.values())


def stems(text: str) -> frozenset[str]:
    """Every token key of ``text`` and the stems of hyphenated words' parts, to look words up in."""
    parts = {stem(word.lower()) for word in words(text) if len(word) > 1 or not word.isascii()}
    return frozenset(token.key for token in tokens(text)) | parts


def _is_label(token: Token) -> bool:
    """The letter of ``zone A``, and any character of a script that needs no more than one for a word."""
    return len(token.raw) == 1 and (not token.raw.isascii() or (token.raw.isupper() and token.raw != "I"))


def leading_words(text: str, n: int) -> list[str]:
    return [word.lower() for word in words(text)[:n]]
