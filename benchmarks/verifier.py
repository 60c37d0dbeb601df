"""The verifier on sentences it has never seen: what it accepts of the faithful, what it rejects of the false.

    python -m benchmarks.verifier [../shared/data]

Without the data only the hand-written cases are measured. Faithful: people's replies (DSTC9) and long answers (CLAP NQ)
of the documents kept out of fitting, and rewordings by rule; once more without the claims that people made in words of
their own. False: every family of corruption, the two held-out ones included. Writes benchmarks/results/verifier.json.
"""

from __future__ import annotations

import json
import math
import os
import platform
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generator.grounding import verify
from generator.train.corruptions import FITTED, HELD_OUT
from generator.train.support_data import Case, faithful_cases, false_cases

_ROOT = Path(__file__).resolve().parent.parent
_PER_FAMILY = 100
_THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_SEED = 11
_PEOPLES = ("reply", "long answer")


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    hand = [
        json.loads(line) for line in (_ROOT / "tests/golden/verifier.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    result: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "load_average": os.getloadavg()[0],
        "hand_written": judged(
            Case(c["sentence"], c["evidence"], c["family"], c["faithful"], c["family"], True) for c in hand
        ),
        "milliseconds": milliseconds([(c["sentence"], c["evidence"]) for c in hand]),
    }
    if data is not None:
        cases = test_cases(data)
        result["public_data"] = judged(cases)
        result["in_the_passages_words"] = judged(in_own_words_left_out(cases, data))
        result["false_by_base"] = judged(replace(c, family=c.base) for c in cases if not c.is_faithful)
    path = _ROOT / "benchmarks/results/verifier.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _print(result)
    print(f"Written to {path.relative_to(_ROOT)}")


def test_cases(data: Path) -> list[Case]:
    rng = random.Random(_SEED)
    every = [*faithful_cases(data, rng, 60), *false_cases(data, {**FITTED, **HELD_OUT}, rng, 60)]
    chosen: list[Case] = []
    for family in sorted({case.family for case in every}):
        own = [case for case in every if case.family == family and case.is_test]
        chosen += rng.sample(own, min(_PER_FAMILY, len(own)))
    return chosen


def in_own_words_left_out(cases: Sequence[Case], data: Path) -> list[Case]:
    """The faithful cases, people's claims only where none of their words is their own (``adds_words``)."""
    rng = random.Random(_SEED)
    kept = [c for c in cases if c.is_faithful and c.family not in _PEOPLES]
    every = [c for c in faithful_cases(data, rng, 1) if c.is_test and not c.adds_words]
    for family in _PEOPLES:
        own = [c for c in every if c.family == family]
        kept += rng.sample(own, min(_PER_FAMILY, len(own)))
    return kept


def judged(cases: Iterable[Case]) -> dict[str, Any]:
    """Right verdicts by family with 95 % intervals (Wilson), and the curve over thresholds on the score."""
    verdicts = [(c.family, c.is_faithful, verify(c.sentence, c.evidence, c.heading)) for c in cases]
    by_family: dict[str, list[bool]] = defaultdict(list)
    for family, is_faithful, verdict in verdicts:
        by_family[family].append(verdict.supported == is_faithful)
        by_family["all faithful" if is_faithful else "all false"].append(verdict.supported == is_faithful)
    good = [v.score for _, ok, v in verdicts if ok]
    bad = [v.score for _, ok, v in verdicts if not ok]
    curve = [
        {"threshold": t, "accepted": _share(s >= t for s in good), "rejected": _share(s < t for s in bad)}
        for t in _THRESHOLDS
    ]
    return {
        "families": {name: interval(right) for name, right in sorted(by_family.items())},
        "curve_of_score_alone": curve,
    }


def interval(right: Sequence[bool]) -> dict[str, float]:
    n, p, z = len(right), sum(right) / len(right), 1.96
    middle, half = (p + z * z / (2 * n)), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return {"right": round(p, 3), "low": round(low, 3), "high": round(high, 3), "n": n}


def milliseconds(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """CPU time of a verdict: of the passage's first sentence as it stands, and of the cases' own sentences."""
    copies = [_cpu(e.split(". ")[0] + ".", e) for _, e in pairs]
    others = [_cpu(s, e) for s, e in pairs]
    return {
        "copy_median": round(statistics.median(copies), 2),
        "copy_p95": round(statistics.quantiles(copies, n=20)[-1], 2),
        "paraphrase_median": round(statistics.median(others), 2),
        "paraphrase_p95": round(statistics.quantiles(others, n=20)[-1], 2),
    }


def _cpu(sentence: str, evidence: str) -> float:
    started = time.process_time()
    verify(sentence, evidence)
    return 1000 * (time.process_time() - started)


def _share(hits: Iterable[bool]) -> float:
    counted = list(hits)
    return round(sum(counted) / len(counted), 3) if counted else 0.0


def _print(result: dict[str, Any]) -> None:
    for part in ("hand_written", "public_data", "in_the_passages_words"):
        for name, figure in result.get(part, {}).get("families", {}).items():
            spread = f"({figure['low']:.3f} to {figure['high']:.3f}, n={figure['n']})"
            print(f"{part:21} {name:20} {figure['right']:.3f}  {spread}")
    print(result["milliseconds"])


if __name__ == "__main__":
    main()
