"""What has to be said along with a proven sentence, because alone it would say something else.

``It cannot be paid out in cash.`` is about whatever stood before it, ``Helmets are free.`` is half of the truth when
the next sentence opens with ``However``, and under ``What is not covered`` a plain sentence means its opposite.
"""

from __future__ import annotations

import re

from domain.text import Span, count_words, restricts, sentence_spans

_MAX_BACK = 2
_MAX_FORWARD = 2
_MAX_LIST_WORDS = 75
_QUESTION = re.compile(r"[?？؟][\"'”’)\]」』）]*$")
_LEANS_BACK = re.compile(
    r"[^,;]*\bnot\b[^,;]*\bany other\b|(?:(?:the )?others?|both|neither|the same)\b|"
    r"(?!(?:\S+ ){0,2}(?:the|an?|your|our|each|every|this|that) )(?:\S+ ){0,3}(?:it|them)\b|"
    r"(?:it|its|they|their|them|he|she|otherwise|however|but|except|instead|then|in (?:this|that) case|"
    r"(?:after|before|for|from|of|to|with) (?:this|that|these|those|it|them)[ ,]|"
    r"(?:this|that|these|those) (?:is|are|was|were|can|cannot|may|must|will|would|does|do|has|have|also|only|"
    r"applies|apply|costs?|takes?|includes?|means?))\b",
    re.IGNORECASE,
)
# "What to do if it does not light" heads advice; "What we do not repair" heads a list of what is denied.
_DENIES = re.compile(
    r"(?!.*\b(?:if|when|happens|to do)\b)(?:what|which|things|items|goods|products)\b.*"
    r"(?:\b(?:not|never|cannot)\b|n['’]t\b)|"
    r"(?:not|never) \w+(?:ed|able|ible)\b|exclu(?:ded|sions?)\b|exceptions?\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(r"\b(?:no|not|never|none|nothing|cannot|without|except|exclud\w+)\b|n['’]t\b", re.IGNORECASE)


def standing_alone(text: str, span: Span) -> Span | None:
    """The smallest stretch around ``span`` (whole sentences of ``text``) that can be said alone; None when none can.

    At most two sentences are added on either side; an item of a list takes the list up to it along.
    """
    spans = sentence_spans(text)
    shown = [s.of(text) for s in spans]
    first = next(i for i, s in enumerate(spans) if s.end > span.start)
    last = max(i for i, s in enumerate(spans) if s.start < span.end)
    intro = _list_intro(text, spans, first)
    if intro < first:
        if count_words(text[spans[intro].start : spans[last].end]) <= _MAX_LIST_WORDS:
            first = intro
        elif is_negated(shown[intro]):
            return None
    for _ in range(_MAX_BACK):
        if first > 0 and (_LEANS_BACK.match(shown[first]) or _QUESTION.search(shown[first - 1])):
            first -= 1
    for _ in range(_MAX_FORWARD):
        if last + 1 < len(spans) and (_QUESTION.search(shown[last]) or restricts(shown[last + 1])):
            last += 1
    return None if _QUESTION.search(shown[last]) else Span(spans[first].start, spans[last].end)


def heading_denies(heading: str, sentence: str) -> bool:
    """True when the heading turns the sentence into its opposite, which it does not show by itself."""
    return bool(_DENIES.match(heading)) and not is_negated(sentence)


def is_negated(text: str) -> bool:
    return bool(_NEGATION.search(text))


def _list_intro(text: str, spans: list[Span], item: int) -> int:
    """Where the list that sentence ``item`` may stand in is introduced (``You need:``); ``item`` itself without one.

    The splitter drops bullets, so a list shows as sentences of one line each below a line that ends in a colon.
    """
    at = item
    while at > 0 and "\n" in text[spans[at - 1].end : spans[at].start]:
        at -= 1
        if text[spans[at].end - 1] in ":：":
            return at
    return item
