"""What a wording changes against its evidence, counted by kind.

Every rule answers one question about an alignment and counts how often it was broken. A sentence without any finding
says nothing but what the evidence says, and what it leaves out narrows nothing.
"""

from __future__ import annotations

from generator import naming, steering
from generator.alignment import Alignment
from generator.comparison import Comparison


def compare(alignment: Alignment) -> Comparison:
    """All rules on one alignment; ``found`` of the result counts the differences by name."""
    comparison = Comparison(alignment)
    for rule in (*naming.RULES, *steering.RULES):
        rule(comparison)
    return comparison
