"""Golden questions through the product: a fresh data folder, the sample shop, `answerdesk evaluate`.

    python -m benchmarks.golden               the visible half, for everyday work
    python -m benchmarks.golden --set-aside   the other half, once at the end of a piece of work

Writes benchmarks/results/golden_HALF.json.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_HALVES = {"visible": "queries.jsonl", "set_aside": "set_aside.jsonl"}


def answerdesk(data_dir: Path, *arguments: str) -> Any:
    """Run a command over ``data_dir`` and read its JSON."""
    environment = {**os.environ, "ANSWERDESK_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "api.cli", *arguments, "--json"]
    done = subprocess.run(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set-aside", action="store_true", help="measure the half that is set aside")
    half = "set_aside" if parser.parse_args().set_aside else "visible"
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        answerdesk(Path(folder), "ingest", str(_ROOT / "examples" / "shop"), "--collection", "shop", "--wait")
        ingest_seconds = time.perf_counter() - started
        reindex = answerdesk(Path(folder), "reindex")
        report = answerdesk(Path(folder), "evaluate", str(_ROOT / "tests" / "golden" / _HALVES[half]), "--answers")
    result = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        "ingest_seconds": round(ingest_seconds, 1),
        "passages": reindex["passages"],
        **report,
    }
    path = _ROOT / "benchmarks" / "results" / f"golden_{half}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _print(result)
    print(f"Written to {path.relative_to(_ROOT)}")


def _print(result: dict[str, Any]) -> None:
    answers = result["answers"]
    for name, figure in {**result["retrieval"], **answers["overall"]}.items():
        print(f"{name:22} {figure['mean']:.3f}  ({figure['low']:.3f} to {figure['high']:.3f}, n={figure['n']})")
    print(f"{'paths':22} {answers['paths']}")
    print(f"{'seconds to answer':22} p50 {answers['latency_p50']:.2f}, p95 {answers['latency_p95']:.2f}")


if __name__ == "__main__":
    main()
