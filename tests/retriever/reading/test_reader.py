from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from domain.errors import ModelMissing
from domain.protocols import PassageToRead
from domain.text import sentence_spans
from retriever.reading.network import WEIGHTS_FILE
from retriever.reading.reader import MiniLMReader

DELIVERY = (
    "We deliver on weekdays between eight and six. A parcel that nobody takes in is left with a neighbour. "
    "If there is no neighbour either, it waits at the depot for seven days. Heavy goods are brought to the kerb only."
)
FEES = "Delivery costs four euros. Orders above fifty euros travel free. Islands pay nine euros more."


def _passage(lead: str, text: str) -> PassageToRead:
    return PassageToRead(lead, text, tuple(sentence_spans(text)))


PASSAGES = (_passage("Delivery > At your door", DELIVERY), _passage("Delivery > What it costs", FEES))


@pytest.fixture(scope="module")
def reader() -> MiniLMReader:
    reader = MiniLMReader()
    reader.load()
    return reader


def test_sentence_that_answers_in_other_words_is_best_of_all_passages(reader: MiniLMReader) -> None:
    """Of fourteen questions eleven at least; guessing gets two."""
    asked = {
        "do you deliver on sundays": 0,
        "at what time of day do you bring it": 0,
        "what happens if i am not in": 1,
        "can my neighbour take it": 1,
        "how long do you keep my package for me": 2,
        "until when can i fetch it from the depot": 2,
        "do you carry a washing machine upstairs": 3,
        "will you bring a heavy sofa up to my flat": 3,
        "what do you charge for delivery": 4,
        "price of delivery": 4,
        "is it free above 50": 5,
        "when do i pay nothing for shipping": 5,
        "what is it to malta, an island": 6,
        "do i pay more on an island": 6,
    }
    found = {}
    for question in asked:
        told, paid = reader.read(question, "", PASSAGES)
        assert (told.shape, paid.shape) == ((4,), (3,))
        found[question] = int(np.argmax(np.concatenate([told, paid])))
    assert sum(found[question] == best for question, best in asked.items()) >= 11, found


def test_question_that_nothing_answers_scores_below_one_that_something_does(reader: MiniLMReader) -> None:
    answered = np.concatenate(reader.read("do i pay for shipping when i spend eighty euros", "", PASSAGES))
    near_miss = np.concatenate(reader.read("do students pay less for shipping", "", PASSAGES))
    assert answered.max() > near_miss.max()


def test_threads_that_read_at_once_get_their_own_answers(reader: MiniLMReader) -> None:
    questions = [
        "what do islands pay",
        "how long is my parcel kept",
        "do you deliver on sunday",
        "is it carried upstairs",
    ]
    alone = [np.concatenate(reader.read(question, "", PASSAGES)) for question in questions]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda q: np.concatenate(reader.read(q, "", PASSAGES)), questions * 3))
    for row, own in zip(together, alone * 3, strict=True):
        np.testing.assert_allclose(row, own, atol=1e-3)


def test_no_passages_give_no_scores(reader: MiniLMReader) -> None:
    assert reader.read("anything", "", []) == []


@pytest.mark.parametrize("content", [None, b"no weights at all"])
def test_missing_or_broken_weights_are_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / WEIGHTS_FILE).write_bytes(content)
    reader = MiniLMReader(tmp_path)
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        reader.load()
    assert not reader.is_loaded
    with pytest.raises(RuntimeError, match="load"):
        reader.read("anything", "", PASSAGES)
