"""A process of its own that searches one question a line of its input, and prints what it found as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from storage.engine import create_database_engine
from tests.retriever.knowledge import KnowledgeBase


def main(url: str, folder: str) -> None:
    kb = KnowledgeBase(create_database_engine(url), Path(folder))
    kb.retriever.load()
    _say("ready")
    for line in sys.stdin:
        result = kb.retriever.search(line.strip(), 50)
        found = [hit.passage.text for hit in result.passages]
        _say({"found": found, "generation": result.generation})


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
