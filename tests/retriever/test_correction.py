from __future__ import annotations

from collections.abc import Sequence

import pytest

from retriever.correction import QueryCorrector
from retriever.snapshot import LiveSegment, Snapshot
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import segment_of, stored

EMBEDDER = HashEmbedder(32)
PASSAGES = [stored("You can reset your password.", 1), stored("The Lumora lamp by Moyra ships to Norway.", 2)]
SNAPSHOT = Snapshot(revision=0, dimension=32, base=LiveSegment.of(segment_of(PASSAGES, EMBEDDER)))


class SmallLexicon:
    def known_words(self) -> Sequence[str]:
        return [
            "where",
            "when",
            "lend",
            "send",
            "password",
            "passwords",
            "guarantee",
            "second",
            "aurora",
            "form",
            "from",
        ]


CORRECTOR = QueryCorrector(SmallLexicon())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("my pasword is lost", "my password is lost"),
        ("is the garantee for a secnd owner?", "is the guarantee for a second owner?"),
        ("Garantee!", "guarantee!"),
    ],
)
def test_mistyped_words_are_put_right(typed: str, meant: str) -> None:
    assert CORRECTOR.correct(typed, SNAPSHOT) == meant


@pytest.mark.parametrize(
    "text",
    [
        "can i lend it from where",  # known words that are near others
        "lumora by moyra",  # names of the knowledge base that no lexicon has
        "lumorra",  # a mistyped name: nearer to nothing in the lexicon, and the lexical half knows it
        "FORN 4711 sedn123 iPhne",  # codes
        "pässword 退货 🙂 qqqqqqq",
        "¿donde esta mi pedido? wenn whare",  # Spanish: its words are no slips of English ones
        "",
    ],
)
def test_everything_else_is_left_as_typed(text: str) -> None:
    assert CORRECTOR.correct(text, SNAPSHOT) == text


def test_empty_knowledge_base_corrects_by_the_lexicon_alone() -> None:
    assert CORRECTOR.correct("pasword", Snapshot(revision=0, dimension=32)) == "password"
