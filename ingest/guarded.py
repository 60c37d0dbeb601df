"""Parsing of untrusted bytes in a child process that may die instead of the worker."""

from __future__ import annotations

import json
import logging
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from domain.errors import DocumentUnreadable, InvalidInput
from ingest.parse_child import ERRORS
from ingest.parsed import ParsedDocument
from ingest.settings import IngestSettings

_log = logging.getLogger(__name__)

_PROJECT_ROOT = Path(__file__).resolve().parents[1]  # where the child finds this package, installed or not
_START_SECONDS = 10  # a loaded machine may take this long to start the interpreter
# Windows knows neither signal nor limit; there the wall clock alone holds.
_OUT_OF_CPU = -getattr(signal, "SIGXCPU", 0)
_KILLED = -getattr(signal, "SIGKILL", 0)  # by the system, for lack of memory


def parse_guarded(path: Path, media_type: str, source: str, settings: IngestSettings) -> ParsedDocument:
    """``parse`` in a fresh interpreter with limits on CPU, memory, written files and wall time.

    Raises:
        DocumentUnreadable, EmptyFile, UnsupportedFileType: as ``parse``; also DocumentUnreadable when the child died
            or ran into a limit.
    """
    request = {
        "path": str(path.resolve()),
        "media_type": media_type,
        "source": source,
        "memory_bytes": settings.parse_memory_mb * 1024 * 1024,
        "cpu_seconds": math.ceil(settings.parse_seconds),
    }
    try:
        finished = subprocess.run(
            [sys.executable, "-B", "-m", "ingest.parse_child"],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=settings.parse_seconds + _START_SECONDS,
            cwd=_PROJECT_ROOT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow(source, settings) from error
    if finished.returncode != 0:
        raise _died(finished, source, settings)
    return _document(json.loads(finished.stdout), source, settings)


def _document(reply: dict[str, Any], source: str, settings: IngestSettings) -> ParsedDocument:
    if "document" in reply:
        return ParsedDocument.from_json(reply["document"])
    error: type[InvalidInput] | None = ERRORS.get(reply["error"])
    if error is None:
        raise _too_large(source, settings)
    raise error(reply["detail"], reply["remedy"])


def _died(finished: subprocess.CompletedProcess[bytes], source: str, settings: IngestSettings) -> DocumentUnreadable:
    lines = finished.stderr.decode(errors="replace").strip().splitlines()
    # The traceback's last line may quote the document after the colon: log only the exception's name.
    cause = lines[-1].split(":", 1)[0][:80] if lines else ""
    _log.warning("parser_died", extra={"returncode": finished.returncode, "cause": cause})
    if finished.returncode == _OUT_OF_CPU:
        return _too_slow(source, settings)
    if finished.returncode == _KILLED or "MemoryError" in cause or "bad_alloc" in cause:
        return _too_large(source, settings)
    return DocumentUnreadable(
        f"{source} is broken: the parser stopped on it ({cause or 'it crashed'}).",
        "Open it, save it again in its own program, and upload the new file.",
    )


def _too_slow(source: str, settings: IngestSettings) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{source} took longer than {settings.parse_seconds:g} seconds to read.",
        "Split it into smaller files, or export it again from the program that made it.",
    )


def _too_large(source: str, settings: IngestSettings) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{source} needs more than {settings.parse_memory_mb} MiB of memory to read.",
        "Split it into smaller files, or leave out large pictures.",
    )
