"""Counts what a recipe shows the model, by replaying its draws: ``python -m generator.train.seen RECIPE.toml``."""

from __future__ import annotations

import itertools
import json
import logging
import sys
from collections import Counter
from pathlib import Path

from generator.train.packed import load_packed
from generator.train.recipe import TextRecipe, load_recipe
from generator.train.text_objective import ANSWERS, packed_name, planned_batches

logger = logging.getLogger(__name__)


def tokens_seen(recipe: TextRecipe) -> dict[str, dict[str, int]]:
    """For each kind of batch: rows and tokens read (no padding), and tokens on which a loss was taken."""
    packed = {path.stem: load_packed(path) for path in sorted(recipe.data.glob("*.npz"))}
    seen: dict[str, Counter[str]] = {}
    for kind, length, rows in itertools.islice(planned_batches(recipe, packed), recipe.last_step * recipe.accumulate):
        data = packed[packed_name(kind)]
        lengths = data.lengths[rows].clip(max=length)
        unscored = data.answers[rows] if kind == ANSWERS else 1
        counts = seen.setdefault(kind, Counter())
        counts.update(rows=len(rows), tokens=int(lengths.sum()), scored=int((lengths - unscored).sum()))
    return {kind: dict(counts) for kind, counts in sorted(seen.items())}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logger.info("%s", json.dumps(tokens_seen(load_recipe(Path(sys.argv[1])))))
