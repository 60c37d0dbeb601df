"""The process in which a document is parsed: JSON on standard input, JSON on standard output, hard limits between.

Run as ``python -m ingest.parse_child`` by ``ingest.guarded``. A parser that crashes, hangs or asks for too much memory
takes down this process and nothing else. It imports no model, no numpy and no database.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from domain.errors import DocumentUnreadable, EmptyFile, InvalidInput, UnsupportedFileType
from ingest.parsers import parse

ERRORS: dict[str, type[InvalidInput]] = {
    kind.__name__: kind for kind in (DocumentUnreadable, EmptyFile, UnsupportedFileType)
}


def main() -> None:
    request: dict[str, Any] = json.load(sys.stdin.buffer)
    set_limits(memory_bytes=request["memory_bytes"], cpu_seconds=request["cpu_seconds"])
    try:
        parsed = parse(Path(request["path"]), request["media_type"], request["source"])
        reply: dict[str, Any] = {"document": parsed.to_json()}
    except InvalidInput as error:
        reply = {"error": type(error).__name__, "detail": error.detail, "remedy": error.remedy}
    except MemoryError:
        reply = {"error": "MemoryError"}
    sys.stdout.write(json.dumps(reply))


def set_limits(*, memory_bytes: int, cpu_seconds: int) -> None:
    """No files, no core dump, bounded memory and CPU. Without effect where the system has no such limits (Windows)."""
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_FSIZE: (0, 0),  # parsers write nothing; pipes do not count
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_CPU: (cpu_seconds, cpu_seconds + 1),  # SIGXCPU first, so that SIGKILL means lack of memory
        resource.RLIMIT_AS: (memory_bytes, memory_bytes),
    }
    for limit, pair in limits.items():
        # macOS refuses RLIMIT_AS; the wall clock still holds there.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, pair)


if __name__ == "__main__":
    main()
