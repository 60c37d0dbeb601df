"""Sentences and words with character offsets, in any script.

Every floor of the house has to agree on where a sentence ends: the splitter never cuts one, the generator
cites whole ones and the verifier judges them one by one. So the rule lives here, once.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Words that end in a full stop without ending a sentence. Lower case, without the final stop.
# fmt: off
_ABBREVIATIONS = frozenset((
    "approx", "ca", "cf", "co", "corp", "dept", "dr", "e.g", "eg", "etc", "i.e", "ie", "inc", "jr", "ltd", "mr", "mrs",
    "ms", "prof", "resp", "sr", "st", "vs",
))
# fmt: on
# These are abbreviations only before a number: "No." is more often an answer, "min." a unit at the end.
_ABBREVIATIONS_BEFORE_NUMBER = frozenset(("art", "fig", "max", "min", "no", "nr", "p", "pp", "tel"))
# "J. Smith" is a name; in "zone A. Lamps" and "plan B. The ..." a sentence ends. What stands before the letter tells,
# or a next word that begins sentences and no surname.
_LABELLED = re.compile(
    r"""\b(?:annex|appendix|bay|block|box|building|button|category|class|exhibit|figure|floor|form|gate|grade|group|hall|
    key|level|line|model|option|part|plan|platform|point|position|rating|room|route|row|section|series|side|size|step|
    table|tariff|terminal|tier|type|variant|version|vitamin|zone)s?:?\s+(?:[A-Z](?:,|\s+and|\s+or|\s+to)?\s+)*$""",
    re.VERBOSE | re.IGNORECASE,
)
# fmt: off
_OPENERS = frozenset((
    "after", "all", "an", "and", "any", "as", "at", "before", "both", "but", "by", "each", "every", "for", "from",
    "he", "her", "his", "how", "however", "if", "in", "is", "it", "its", "no", "not", "on", "only", "or", "our",
    "please", "she", "since", "so", "the", "their", "then", "there", "these", "they", "this", "those", "to", "unless",
    "until", "we", "what", "when", "where", "which", "while", "who", "with", "without", "yes", "you", "your",
))
# fmt: on
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_STOPS = ".!?…؟۔।॥"  # Latin, Arabic, Urdu, Devanagari: they end a sentence only before white space or the end
_CJK_STOPS = "。！？｡"  # these always do, but for a quotation that the sentence goes on after (「はい。」と言った)
_CJK_CLOSING = "\"'”’“»」』）》〉】)\\]"
_BOUNDARY = re.compile(
    rf"""
    [{_STOPS}]+["'”’“»)\]]*(?=\s|$)                     # a stop with its closing quotes
    | (?:[{_CJK_STOPS}][{_CJK_STOPS}!?]*+ | (?<=[{_CJK}])．)(?:[{_CJK_CLOSING}]++(?!と|って|、|，)|(?![{_CJK_CLOSING}]))
    | (?<=[{_CJK}])[.!?]+(?=[{_CJK}])                  # a Latin stop in CJK text, typed without a space
    | \n\s*\n                                          # a blank line
    | \n(?=\s*(?:[-*•]|\d+[.)])\s)                     # the next list item
    | \n(?=\s*(?:[・●■◆①-⑳]|[0-9０-９一二三四五六七八九十]{{1,3}}[、．）]|（[0-9０-９一二三四五六七八九十]{{1,3}}）))
    """,
    re.VERBOSE,
)
_TABLE_ROW = re.compile(r"[^:;.?!]+: [^;]*(?:; [^:;]+: [^;]*)+")
# What stands above or below a letter and belongs to it: accents, Hebrew points, Arabic, Devanagari and Thai vowels.
_MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962\u0963\u0e31"
    "\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
)
_UNSPACED = f"{_CJK}\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ec0-\u0ec6"  # CJK, Thai, Lao
_LETTERS = f"[^\\W_{_UNSPACED}]+(?:[{_MARKS}]+[^\\W_{_UNSPACED}]*)*"
_WORD = re.compile(rf"[{_UNSPACED}][{_MARKS}]*|{_LETTERS}(?:['’\-.,:/]{_LETTERS})*")
# A sentence that opens like this takes something back of the one before it.
_RESTRICTS = re.compile(
    r"(?:but|however|except|(?:this|that|it|they) (?:do(?:es)? not|do(?:es)?n['’]t|only) appl\w+|"
    r"not (?:for|in|on|if|when)|only (?:if|when)|"
    r"pero|sin embargo|no obstante|salvo|excepto|mais|cependant|toutefois|sauf|aber|jedoch|allerdings|ausgenommen|"
    r"و?لكن|إلا أن|غير أن|باستثناء)\b|但|不过|不過|然而|除非|除外|ただし|しかし|但し",
    re.IGNORECASE,
)
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of Unicode code points, ``text[start:end]``."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


def normalise(text: str) -> str:
    """NFC, with the NUL character that PostgreSQL refuses removed and lone surrogates replaced by U+FFFD."""
    return unicodedata.normalize("NFC", _LONE_SURROGATE.sub("\ufffd", text).replace("\x00", ""))


def sentence_spans(text: str) -> list[Span]:
    """Split into sentences; the spans are trimmed of white space, in order, and never overlap.

    Blank lines and list bullets are boundaries too, so a heading or a list item is a sentence of its own.
    """
    spans: list[Span] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if _is_abbreviation(text, match):
            continue
        _append_trimmed(spans, text, start, match.end())
        start = match.end()
    _append_trimmed(spans, text, start, len(text))
    return spans


def sentences(text: str) -> list[str]:
    return [span.of(text) for span in sentence_spans(text)]


def restricts(sentence: str) -> bool:
    """True when the sentence takes something back of the one before it: ``However, ...``, ``Sin embargo``, ``但是``."""
    return bool(_RESTRICTS.match(sentence))


def word_spans(text: str) -> list[Span]:
    """Words as people count them: runs of letters and digits.

    In scripts that put no spaces between words (Chinese, Japanese, Thai, Lao) each sign counts by itself.
    """
    return [Span(match.start(), match.end()) for match in _WORD.finditer(text)]


def words(text: str) -> list[str]:
    return [span.of(text) for span in word_spans(text)]


def count_words(text: str) -> int:
    return len(word_spans(text))


def is_table_row(sentence: str) -> bool:
    """Whether it reads as ingestion writes a table's row, each cell after its column: ``Zone: A; Price: €4.90.``"""
    return bool(_TABLE_ROW.fullmatch(sentence))


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    if not match.group().startswith(".") or len(match.group().rstrip("\"'”’)]")) > 1:
        return False
    before = text[max(0, match.start() - 12) : match.start()]
    last_word = before.split()[-1] if before.split() else ""
    single_capital = len(last_word) == 1 and last_word.isalpha() and last_word.isupper() and last_word != "I"
    line_start = text.rfind("\n", 0, match.start()) + 1
    list_number = last_word.isdigit() and text[line_start : match.start()].strip() == last_word
    if single_capital:
        return _is_initial(text, match)
    if last_word.lower() in _ABBREVIATIONS_BEFORE_NUMBER:
        return text[match.end() : match.end() + 40].lstrip()[:1].isdigit()
    return list_number or last_word.lower().lstrip("(\"'") in _ABBREVIATIONS


def _is_initial(text: str, match: re.Match[str]) -> bool:
    letter_at = match.start() - 1
    following = _WORD.match(text[match.end() : match.end() + 40].lstrip())
    begins_sentence = following is not None and following.group().lower() in _OPENERS and following.group().istitle()
    return not begins_sentence and not _LABELLED.search(text[max(0, letter_at - 40) : letter_at])


def _append_trimmed(spans: list[Span], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        spans.append(Span(start, end))
