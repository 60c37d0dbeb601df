"""What a wording changes against its evidence, counted by kind.

Every rule answers one question about an alignment and counts how often it was broken. A sentence without any finding
says nothing but what the evidence says, and what it leaves out narrows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from generator import doing, naming, omissions, steering
from generator.alignment import Alignment
from generator.comparison import Comparison
from generator.terms import Term


def compare(alignment: Alignment, heading: Sequence[Term] = ()) -> Comparison:
    """All rules on one alignment; ``found`` of the result counts the differences by name."""
    comparison = Comparison(alignment, heading)
    # Who does what comes first: what turns from active to passive explains an order that is another.
    for rule in (*doing.RULES, *naming.RULES, *omissions.RULES, *steering.RULES):
        rule(comparison)
    return comparison
