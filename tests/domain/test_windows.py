from __future__ import annotations

import numpy as np

from domain.documents import Passage, Section
from domain.text import count_words
from domain.windows import WINDOW_WORDS, encode_windows, question_hash, search_windows, windows_by_hash
from tests.fakes import HashEmbedder


def _passage(text: str, **fields: object) -> Passage:
    return Passage("p", "d", 1, 0, 0, len(text), text, **fields)  # type: ignore[arg-type]  # any field


def _sentence(words: int, name: str) -> str:
    return " ".join(f"{name}{i}" for i in range(words)) + "."


def test_windows_are_whole_sentences_and_lose_none() -> None:
    told = [_sentence(18, name) for name in "abcde"]
    windows = search_windows(_passage(" ".join(told)))
    assert windows == (f"{told[0]} {told[1]}", f"{told[2]} {told[3]}", told[4])
    assert all(count_words(window) <= WINDOW_WORDS for window in windows)


def test_a_long_sentence_stands_alone() -> None:
    short, long = _sentence(5, "a"), _sentence(70, "b")
    assert search_windows(_passage(f"{short} {long} {short}")) == (short, long, short)


def test_every_window_stands_under_the_heading_of_its_section() -> None:
    text = "Returns\n\nThirty days.\n\nCosts\n\nNothing."
    sections = (Section(9, 21, ("Returns",)), Section(30, 38, ("Returns", "Costs")))
    passage = _passage(text, heading_path=("Returns",), sections=sections)
    assert search_windows(passage) == ("Returns\nThirty days.", "Returns > Costs\nNothing.")


def test_a_faq_answer_stands_under_its_question_which_has_a_vector_of_its_own() -> None:
    passage = _passage("Yes.", question="Is it free?")
    assert search_windows(passage) == ("Is it free?\nYes.",)
    assert windows_by_hash([passage]) == {
        passage.search_hash: ("Is it free?\nYes.",),
        question_hash(passage): ("Is it free?",),
    }


def test_text_without_a_sentence_is_one_window() -> None:
    assert search_windows(_passage(" ")) == (" ",)


def test_a_vector_is_the_unit_mean_of_its_windows() -> None:
    embedder = HashEmbedder()
    first, second = embedder.encode_documents(["a lamp", "a pendant"])
    mean, alone = encode_windows(embedder, [("a lamp", "a pendant"), ("a lamp",)])
    assert np.allclose(mean, (first + second) / np.linalg.norm(first + second), atol=1e-6)
    assert np.allclose(alone, first, atol=1e-6)
    assert encode_windows(embedder, []).shape == (0, embedder.dimension)


def test_the_hash_tells_sections_and_headings_apart() -> None:
    text = "Costs\n\nNothing."
    plain, cut = _passage(text), _passage(text, sections=(Section(7, 15, ("Costs",)),))
    assert len({plain.search_hash, cut.search_hash, _passage(text, heading_path=("Costs",)).search_hash}) == 3
