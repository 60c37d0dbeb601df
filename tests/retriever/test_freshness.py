"""Two processes search while a third writes: what it deleted or replaced is not found by the next search of any."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from domain.documents import Document
from storage.engine import create_database_engine
from tests.postgres import running_postgres
from tests.retriever.knowledge import KnowledgeBase


class SearchingProcess:
    def __init__(self, url: str, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.retriever.searching_process", url, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def search(self, query: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{query}\n")
        self._process.stdin.flush()
        return self.answer()

    def __enter__(self) -> SearchingProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        database: Engine = request.getfixturevalue("database")
        yield str(database.url)
        return
    with running_postgres() as server:
        yield server.empty_database()


def test_every_process_forgets_at_once_and_learns_at_once(url: str, tmp_path: Path) -> None:
    engine = create_database_engine(url)
    kb = KnowledgeBase(engine, tmp_path)
    living: dict[str, tuple[Document, str]] = {}

    def write(name: str, number: int) -> None:
        text = f"The {name} rule is number{number} now."
        living[name] = (kb.add(f"{name}.md", text), text)

    names = [f"topic{letter}" for letter in "abcdefgh"]
    for number, name in enumerate(names):
        write(name, number)
    kb.reindexer.run()
    rng = random.Random(1)
    with ExitStack() as stack:
        processes = [stack.enter_context(SearchingProcess(url, tmp_path)) for _ in range(2)]
        assert [process.answer() for process in processes] == ["ready", "ready"]
        for number in range(100, 130):
            name = rng.choice(names)
            if name in living and rng.random() < 0.5:
                kb.documents.delete(living.pop(name)[0].document_id)
            else:
                write(name, number)
            if number % 10 == 0:
                kb.reindexer.run()
            for process in processes:
                found = process.search(f"the {name} rule")["found"]
                assert sorted(found) == sorted(text for _, text in living.values())
    engine.dispose()
