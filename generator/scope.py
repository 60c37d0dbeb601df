"""Questions that no document answers, whatever it says: about one customer's own data, or for an opinion.

Retrieval finds good-looking passages for both (``how much did I spend on order 48213`` meets the passage on order
amounts), so they are recognised by how they are asked.
"""

from __future__ import annotations

import re
from enum import Enum

_VERBS = r"(?:spend|spent|order(?:ed)?|pay|paid|buy|bought|purchased?|collect(?:ed)?|return(?:ed)?|earn)"
_PRIVATE = (
    r"\b(?:address|phone|telephone|number|e-?mail|name|details|birthday|age)\b (?:\w+ )?of "
    r"(?:who|whoever|someone|somebody|(?:the|another|a|this|that) (?:\w+ )?"
    r"(?:person|customer|buyer|owner|employee|colleague|man|woman|member))\b",
    rf"\bwho(?:ever)? (?:else )?(?:has |have )?{_VERBS}\b",
    r"\b(?:how (?:much|many|often)|what|when|which)\b.{0,40}\b(?:did|have|had|has) (?:i|my \w+|we) "
    rf"(?:\w+ )?{_VERBS}\b",
    r"\bhow (?:much|many) \w+(?: \w+)? (?:do|did) i (?:still |currently )?have\b(?! to)",
    r"\b(?:what|how much|how many|tell me|show me|look up|check)\b.{0,30}\bmy (?:\w+ )?"
    r"(?:balance|order history|last order|card number|customer number)\b",
    r"\b(?:order|invoice|customer|account|ticket)(?: no\.?| number| nr\.?)? #?\d{4,}\b",
    # The same in the other languages that phrases are said in.
    r"(?:\b(?:pedido|factura|commande|facture|bestell(?:ung|nummer)|rechnung|auftrag|طلب\w*)|订单号?|訂單|注文(?:番号)?)"
    r" ?(?:n[.º°o]*|nr\.?|número|numéro|nummer|رقم|号)? ?#?\d{4,}(?!\d)",
)
_OPINION = (
    r"\b(?:what|which|how|do|would|did)\b.{0,20}\byou (?:personally |really |honestly )?"
    r"(?:like|love|prefer|think|feel)\b(?! me\b)(?! to\b)",
    r"\b(?:nicer|prettier|uglier|trendier|(?:more|most|less) (?:beautiful|stylish|elegant|fashionable)|favou?rite)\b",
    r"\blooks? (?:nicer|better|best|good|cheap)\b",
    r"\b(?:is|are|was|were) (?:your|the|this|these|it|they)\b.{0,40}\b(?:better|worse|nicer) than\b",
    r"\b(?:your|honest) (?:personal )?opinion\b",
    r"\bworth (?:the money|the price|it)\b",
)


class OutOfScope(Enum):
    PRIVATE = re.compile("|".join(_PRIVATE), re.IGNORECASE)
    OPINION = re.compile("|".join(_OPINION), re.IGNORECASE)


def out_of_scope(question: str) -> OutOfScope | None:
    """The kind of a question that documents cannot answer; None for every other."""
    plain = " ".join(question.replace("’", "'").split())
    return next((kind for kind in OutOfScope if kind.value.search(plain)), None)
