"""Text as comparable tokens: what two wordings of one fact have in common, and nothing more.

Equal keys mean equal meaning at that place: inflected forms of a word share a key, and so do ``thirty`` and ``30``,
``1,000`` and ``1000``, ``€ 9.90`` and ``9.90 EUR``, ``can't`` and ``cannot``. Different numbers never share one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import Stemmer

_CURRENCIES = {
    **dict.fromkeys(("€", "eur", "euro", "euros"), "€"),
    **dict.fromkeys(("$", "usd", "dollar", "dollars"), "$"),
    **dict.fromkeys(("£", "gbp"), "£"),  # a pound is a weight as well
    **dict.fromkeys(("¥", "jpy", "yen"), "¥"),
    **dict.fromkeys(("chf", "franc", "francs"), "chf"),
}
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_NUMBER_WORDS = {word: i for i, word in enumerate(_UNITS.split())}
_TENS_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TENS = {word: 10 * i for i, word in enumerate(_TENS_WORDS, start=2)}
_IRREGULAR = {"won't": ("will", "not"), "cannot": ("can", "not"), "can't": ("can", "not"), "shan't": ("shall", "not")}
_CLITICS = {"'ll": "will", "'re": "are", "'ve": "have", "'m": "am", "'d": "would"}
_ARTICLES = frozenset(("a", "an", "the"))
_CASE_TELLS = frozenset(("us", "it", "who", "mw", "kb", "mb", "gb", "tb"))  # ship to us or US; 5 mW or MW, Mb or MB
_LEXEME = re.compile(
    r"""
    (?P<number> (?<![\w.,])[-−–]?(?=\d)\d+(?:[.,]\d+)*
        (?: (?![\w:]) | (?=(?:k[gm]|[cm]m|[GMT]B|GBP|gbp|EUR|USD|CHF|hrs?|mins?)\b) ) )
    | (?P<word> [^\W_]+(?:[:.](?=\d)\d+)*(?:'[^\W\d_]+)* )
    | (?P<symbol> [^\w\s] )
    """,
    re.VERBOSE,
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_DERIVED = re.compile(r"(?:ations?|ments?|ers?|ors?|ly|able|ances?|ings?|ed|es|s|e|y|ies|ied|ions?|als?|ally|ic)$")
# Of the punctuation, what can change the meaning. Symbols (₹, ✗, ≠) and combining vowel signs always can.
_TELLING_PUNCTUATION = frozenset("%‰/@#&′″")
_EMPTY_SYMBOLS = frozenset("|")  # between the cells of a table
_CURLY = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})
_MINUS = str.maketrans({"−": "-", "–": "-"})


@dataclass(frozen=True, slots=True)
class Token:
    """A comparable unit of a text; ``key`` is what is compared, ``raw`` what was written at ``start``..``end``."""

    key: str
    raw: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return self.key.startswith("#")


def tokens(text: str) -> list[Token]:
    """Every token of ``text`` in order, with offsets into ``text`` itself. Punctuation and articles are left out.

    ``A`` counts as an article only before a word, a capital one only where a sentence may begin: that of ``zone A`` or
    ``Zone: A; Price: 5`` is a name.
    """
    found: list[Token] = []
    plain = text.translate(_CURLY)
    for match in _LEXEME.finditer(plain):
        raw = text[match.start() : match.end()]
        if match["symbol"] and not _is_telling(raw):
            continue
        if _CJK.search(raw):
            found.extend(Token(c, c, match.start() + i, match.start() + i + 1) for i, c in enumerate(raw))
            continue
        lowered = raw.lower().translate(_CURLY)
        if lowered in _ARTICLES and _is_article(plain, match):
            continue
        keys = [_number_key(lowered)] if match["number"] else _word_keys(lowered)
        found.extend(Token(key, raw, match.start(), match.end()) for key in keys)
    return _join_amounts(_join_number_words(found))


def _is_telling(symbol: str) -> bool:
    category = unicodedata.category(symbol)
    is_symbol = category[0] in "SM" and category != "Sk" and symbol not in _EMPTY_SYMBOLS
    return is_symbol or symbol in _TELLING_PUNCTUATION


def _is_article(text: str, match: re.Match[str]) -> bool:
    if len(match.group()) > 1:
        return True
    before = text[: match.start()].rstrip()[-1:]
    may_begin = not before or not (before.isalnum() or before == ",")
    return text[match.end() : match.end() + 1].isspace() and (match.group() == "a" or may_begin)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The Snowball stem of a lower-case word."""
    # A stemmer must not be shared between threads, and a new one takes two microseconds.
    return str(Stemmer.Stemmer("english").stemWord(unicodedata.normalize("NFKC", word)))


def is_same_word(a: Token, b: Token) -> bool:
    """True when the tokens differ by inflection at most: Snowball alone would take ``business`` for ``busy``."""
    if a.key != b.key:
        return False
    first, second = a.raw.lower(), b.raw.lower()
    if first in _CASE_TELLS and a.raw.isupper() != b.raw.isupper():
        return False
    return first == second or not first.isalpha() or not second.isalpha() or bool(_lemmas(first) & _lemmas(second))


def is_same_form(one: str, other: str, key: str) -> bool:
    """False when two words share the stem ``key`` by accident only, as ``business`` and ``busy`` do."""
    first, second = one.lower(), other.lower()
    if first in _CASE_TELLS and one.isupper() != other.isupper():
        return False
    if first == second or not (first.isalpha() and second.isalpha()) or stem(first) != key or stem(second) != key:
        return True
    if _lemmas(first) & _lemmas(second):
        return True
    bases = [_DERIVED.sub("", word) for word in (first, second)]
    return bases[0] == bases[1] or all(
        base.startswith(min(bases, key=len)) and len(base) - len(min(bases, key=len)) < 2 for base in bases
    )


@lru_cache(maxsize=50_000)
def _lemmas(word: str) -> frozenset[str]:
    """Every dictionary form that English inflection could have made ``word`` from."""
    found = {word}
    for ending, bases in (("s", ("",)), ("es", ("",)), ("ies", ("y",)), ("ed", ("", "e")), ("ing", ("", "e"))):
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            base = word[: -len(ending)]
            found.update(base + tail for tail in bases)
            if ending in ("ed", "ing") and len(base) > 2 and base[-1] == base[-2]:
                found.add(base[:-1])
    if word.endswith("ied"):
        found.add(word[:-3] + "y")
    return frozenset(found)


def _word_keys(word: str) -> list[str]:
    if word in _IRREGULAR:
        return list(_IRREGULAR[word])
    if word.endswith("n't"):
        return [stem(word[:-3]), "not"]
    for ending, meaning in _CLITICS.items():
        if word.endswith(ending):
            return [stem(word[: -len(ending)]), meaning]
    if word in ("it's", "that's", "there's", "here's", "what's", "he's", "she's"):
        return [stem(word[:-2]), "is"]
    word = word.removesuffix("'s")
    if word in _NUMBER_WORDS or word in _TENS:
        return [f"#{_NUMBER_WORDS.get(word, _TENS.get(word))}"]
    if word in ("hundred", "thousand", "million"):
        return [f"#{word}"]
    if any(c.isdecimal() for c in word):
        return [word]  # a code, a time or an ordinal is compared letter by letter
    return [stem(word)]


def _number_key(raw: str) -> str:
    """``#`` and the value in one spelling; a comma before exactly three digits groups thousands, else it is a point."""
    digits = raw.translate(_MINUS)
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        digits = digits.replace(",", "")
    elif re.fullmatch(r"-?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|-?\d{1,3}\.\d{3},\d+", digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"-?\d+,\d+", digits):
        digits = digits.replace(",", ".")
    is_plain = re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", digits)
    if not is_plain or re.fullmatch(r"-?[1-9]\d{0,2}\.\d{3}", raw):
        return f"#{digits}"  # a version, a date, a telephone number, 1.000 (one or a thousand?): compared as written
    return f"#{Decimal(digits).normalize():f}"


def _join_number_words(found: list[Token]) -> list[Token]:
    """``twenty-five`` and ``two hundred`` become one number each."""
    joined: list[Token] = []
    for token in found:
        last = joined[-1] if joined else None
        value = _joined_value(last, token) if last and token.start - last.end <= 1 else None
        if last and value is not None:
            joined[-1] = Token(f"#{value}", f"{last.raw} {token.raw}", last.start, token.end)
        else:
            joined.append(token)
    alone = {"#hundred": "#100", "#thousand": "#1000", "#million": "#1000000"}
    return [Token(alone.get(t.key, t.key), t.raw, t.start, t.end) for t in joined]


def _joined_value(last: Token, token: Token) -> int | None:
    scale = {"#hundred": 100, "#thousand": 1000, "#million": 1_000_000}
    if not last.key[1:].isdecimal():
        return None
    value = int(last.key[1:])
    if token.key in scale:
        return value * scale[token.key]
    is_pair = last.raw.lower() in _TENS and _NUMBER_WORDS.get(token.raw.lower(), 99) in range(1, 10)
    return value + _NUMBER_WORDS[token.raw.lower()] if is_pair else None


def _join_amounts(found: list[Token]) -> list[Token]:
    """A number takes its currency or percent sign, written before or after it, into its key."""
    joined: list[Token] = []
    i = 0
    while i < len(found):
        token, after = found[i], found[i + 1] if i + 1 < len(found) else None
        currency = _CURRENCIES.get(token.raw.lower())
        if after and currency and after.is_number:
            joined.append(Token(after.key + currency, f"{token.raw}{after.raw}", token.start, after.end))
            i += 2
        elif after and token.is_number and _unit(after) and not _leads(found, i + 1):
            joined.append(Token(token.key + _unit(after), f"{token.raw} {after.raw}", token.start, after.end))
            i += 2
        else:
            joined.append(token)
            i += 1
    return joined


def _leads(found: list[Token], i: int) -> bool:
    """True for the sign of ``2 €5 vouchers``, which belongs to the number that it touches, not to the one before."""
    touches_next = i + 1 < len(found) and found[i].end == found[i + 1].start and found[i + 1].is_number
    return touches_next and found[i - 1].end < found[i].start


def _unit(token: Token) -> str:
    if token.raw == "%" or token.raw.lower() in ("percent", "percentage"):
        return "%"
    return _CURRENCIES.get(token.raw.lower(), "")
