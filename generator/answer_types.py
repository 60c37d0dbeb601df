"""What kind of thing a question asks for: an amount, a duration, a time, a size, a weight.

A passage about the right product that gives no weight does not answer ``how heavy is it``. The embedder does not see
that, since all sentences about the product are near; the shape of the answer shows it.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_NUMBER = (
    r"(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|sixty|ninety|"
    r"an?|half)"
)
_RANGE = rf"{_NUMBER}(?:[ -](?:to|and|or)?[ -]?{_NUMBER})?"
_TIME_UNIT = r"(?:working |business |calendar |full )?(?:seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?)"
_DATE = (
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|"
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december)\b"
)


class AnswerType(Enum):
    WEIGHT = auto()
    MONEY = auto()
    DURATION = auto()
    TIME = auto()
    SIZE = auto()


def _compiled(patterns: dict[AnswerType, tuple[str, ...]]) -> dict[AnswerType, re.Pattern[str]]:
    return {kind: re.compile("|".join(parts), re.IGNORECASE) for kind, parts in patterns.items()}


_ASKED = _compiled(
    {
        AnswerType.WEIGHT: (r"\bhow heavy\b", r"\bweighs?\b", r"\bweight\b"),
        AnswerType.MONEY: (
            r"\bhow much (?:is|are|does|do|did|will|would|for|to|money|cost|extra)\b",
            r"\bcosts?\b|\bprice of\b|\bpriced\b|\bfees?\b|\bcharged?\b|\bpenalty\b|\bearns?\b|\bsalary\b|\bwage\b",
            r"\bwhat(?:'s| is| are)\b.{0,20}\bprices?\b",
            r"\bhow expensive\b",
        ),
        AnswerType.DURATION: (
            r"\bhow (?:long|quickly|soon|fast|often)\b",
            r"\bhow many (?:\w+ )?(?:minutes|hours|days|weeks|months|years)\b",
            r"\bdeadline\b|\blatest day\b",
        ),
        AnswerType.TIME: (
            r"\b(?:what|which) (?:time|day|date)\b",
            r"\b(?:until|since|from) when\b",
            r"\bopening hours\b",
        ),
        AnswerType.SIZE: (
            r"\bhow (?:thick|wide|tall|big|large|high|deep|broad|thin|far above|far apart)\b",
            r"\bdimensions\b|\bdiameter\b",
        ),
    }
)
_GIVEN = _compiled(
    {
        AnswerType.WEIGHT: (rf"{_NUMBER}\s*(?:kg|g|grams?|kilos?|kilograms?|lbs?|pounds?|tons?)\b",),
        AnswerType.MONEY: (
            r"[€$£¥%]",
            r"\b(?:eur|euros?|dollars?|pounds?|percent|per cent|free|fees?|charges?|costs?|price|discount)\b",
        ),
        AnswerType.DURATION: (
            rf"\b{_RANGE}[ -]{_TIME_UNIT}\b",
            rf"\b(?:every|per|each) {_TIME_UNIT}\b",
            r"\b(?:immediately|at once|straight away|at any time|the same day|next day|forever|for life|until)\b",
            _DATE,
        ),
        AnswerType.TIME: (
            r"\b\d{1,2}[:.]\d{2}\b|\b\d{1,2} ?(?:am|pm|o'clock)\b|\bnoon\b|\bmidnight\b|\b\d{4}\b",
            _DATE,
        ),
        AnswerType.SIZE: (
            rf"{_NUMBER}\s*(?:mm|cm|m|km|metres?|meters?|inch(?:es)?|feet|ft|centimetres?|millimetres?)\b",
        ),
    }
)


def expected_types(question: str) -> frozenset[AnswerType]:
    """The kinds of answer that a question asks for; most questions ask for none of them."""
    return frozenset(kind for kind, pattern in _ASKED.items() if pattern.search(question))


def holds_type(expected: frozenset[AnswerType], text: str) -> bool:
    """True when ``text`` holds something of one of the expected kinds, or when none is expected."""
    return not expected or any(_GIVEN[kind].search(text) for kind in expected)
