"""Golden questions through the product: a fresh data folder, the sample shop, `answerdesk evaluate`.

    python -m benchmarks.golden               the visible half, for everyday work
    python -m benchmarks.golden --set-aside   the other half, once at the end of a piece of work
    python -m benchmarks.golden --languages   the same sixteen questions in seven languages
    python -m benchmarks.golden --plain       what every shop is asked, in few words
    python -m benchmarks.golden --near-misses two other companies, every second question answered by nothing they wrote

Writes benchmarks/results/golden_SET.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_GOLDEN = _ROOT / "tests" / "golden"
_SETS = {
    "visible": "queries.jsonl",
    "set_aside": "set_aside.jsonl",
    "languages": "languages.jsonl",
    "plain": "plain.jsonl",
    "near_misses": "near_misses/queries.jsonl",
}


def answerdesk(data_dir: Path, *arguments: str) -> Any:
    """Run a command over ``data_dir`` and read its JSON."""
    environment = {**os.environ, "ANSWERDESK_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "api.cli", *arguments, "--json"]
    done = subprocess.run(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--set-aside", dest="set", action="store_const", const="set_aside", help="the half set aside")
    chosen.add_argument("--languages", dest="set", action="store_const", const="languages", help="other languages")
    chosen.add_argument("--plain", dest="set", action="store_const", const="plain", help="what every shop is asked")
    chosen.add_argument("--near-misses", dest="set", action="store_const", const="near_misses", help="other companies")
    name = parser.parse_args().set or "visible"
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        for collection, documents in _documents(name).items():
            answerdesk(Path(folder), "ingest", str(documents), "--collection", collection, "--wait")
        ingest_seconds = time.perf_counter() - started
        reindex = answerdesk(Path(folder), "reindex")
        report = answerdesk(Path(folder), "evaluate", str(_GOLDEN / _SETS[name]), "--answers")
    result = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "ingest_seconds": round(ingest_seconds, 1),
        "passages": reindex["passages"],
        **report,
    }
    path = _ROOT / "benchmarks" / "results" / f"golden_{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _print(result)
    if name == "languages":
        _print_languages(result["answers"]["answers"])
    print(f"Written to {path.relative_to(_ROOT)}")


def _documents(name: str) -> dict[str, Path]:
    """The folder of each collection that is asked about."""
    if name == "near_misses":
        return {folder.name: folder for folder in sorted((_GOLDEN / name).iterdir()) if folder.is_dir()}
    return {"shop": _ROOT / "examples" / "shop"}


def _print(result: dict[str, Any]) -> None:
    answers = result["answers"]
    for name, figure in {**result["retrieval"], **answers["overall"]}.items():
        print(f"{name:22} {figure['mean']:.3f}  ({figure['low']:.3f} to {figure['high']:.3f}, n={figure['n']})")
    print(f"{'paths':22} {answers['paths']}")
    print(f"{'seconds to answer':22} p50 {answers['latency_p50']:.2f}, p95 {answers['latency_p95']:.2f}")


def _print_languages(answers: list[dict[str, Any]]) -> None:
    """An id begins with its language."""
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for answer in answers:
        grouped[answer["id"].partition("-")[0]].append(answer)
    for language, group in grouped.items():
        asked = [answer for answer in group if answer["answerable"]]
        answered = [answer for answer in asked if answer["answered"]]
        refused = sum(not answer["answered"] for answer in group if not answer["answerable"])
        print(
            f"{language}  answered {len(answered)} of {len(asked)}, {sum(bool(a['facts']) for a in answered)} with the "
            f"facts; refused {refused} of {len(group) - len(asked)}"
        )


if __name__ == "__main__":
    main()
