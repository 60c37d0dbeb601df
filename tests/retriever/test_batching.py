from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from domain.protocols import Vectors
from retriever.batching import QueryBatcher


class Counting:
    """Gives a text its length as vector; ``first`` holds back the first call until it is set."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.begun = threading.Event()
        self.first = threading.Event()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        self.begun.set()
        assert self.first.wait(30)
        if "bad" in texts:
            raise ValueError("bad text")
        return np.array([[len(text)] for text in texts], dtype=np.float32).reshape(len(texts), 1)


def ask(encode: Counting, texts: list[list[str]], settle: int) -> list[object]:
    """The first alone, the others while it is being encoded; an error stands in for its result."""
    batcher = QueryBatcher(encode)

    def one(asked: list[str]) -> object:
        try:
            return batcher(asked).ravel().tolist()
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(len(texts)) as pool:
        running = [pool.submit(one, texts[0])]
        assert encode.begun.wait(30)
        running += [pool.submit(one, asked) for asked in texts[1:]]
        while len(batcher._queue) < settle:
            pass
        encode.first.set()
        return [future.result(30) for future in running]


def test_those_who_wait_are_encoded_together_and_get_their_own_rows() -> None:
    encode = Counting()
    results = ask(encode, [["a"], ["bb", "ccc"], ["dddd"], []], settle=3)
    assert results == [[1.0], [2.0, 3.0], [4.0], []]
    assert encode.calls[0] == ["a"]
    assert len(encode.calls) == 2
    assert sorted(encode.calls[1]) == ["bb", "ccc", "dddd"]


def test_lone_query_is_encoded_at_once() -> None:
    encode = Counting()
    encode.first.set()
    assert QueryBatcher(encode)(["abc"]).tolist() == [[3.0]]


def test_batch_has_a_largest_size() -> None:
    encode = Counting()
    results = ask(encode, [["a"], *([["x"] * 30] * 5)], settle=5)
    assert [len(found) for found in results if isinstance(found, list)] == [1, 30, 30, 30, 30, 30]
    assert max(map(len, encode.calls)) <= 64


def test_failure_reaches_one_and_the_others_are_still_served() -> None:
    encode = Counting()
    results = ask(encode, [["a"], ["bad"], ["cc"], ["ddd"]], settle=3)
    assert results[0] == [1.0]
    assert "bad text" in results
    assert all(found == "bad text" or isinstance(found, list) for found in results)


def test_error_of_a_lone_query_is_raised_and_the_next_one_works() -> None:
    encode = Counting()
    encode.first.set()
    batcher = QueryBatcher(encode)
    with pytest.raises(ValueError, match="bad"):
        batcher(["bad"])
    assert batcher(["ok"]).tolist() == [[2.0]]
