"""Searches whose question and documents do not share a language, over real SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from domain.protocols import Vectors
from retriever.ensemble import EnsembleEmbedder, Member
from tests.fakes import HashEmbedder
from tests.retriever.knowledge import KnowledgeBase

RETURNS, SHIPPING = "未拆封的茶叶可以在七天内退货。", "每天下午三点前付款的订单当天发货。"
MEANS = {"退货": " return ", "茶叶": " tea ", "发货": " ship ", "订单": " order "}


class _English(HashEmbedder):
    """All Chinese looks the same to it, and rather like any question."""

    def _encode(self, texts: Sequence[str]) -> Vectors:
        return super()._encode(["how the of a" if "。" in text or "货" in text else text for text in texts])

    def load(self) -> None: ...


class _Bilingual(HashEmbedder):
    def _encode(self, texts: Sequence[str]) -> Vectors:
        read = list(texts)
        for word, meaning in MEANS.items():
            read = [text.replace(word, meaning) for text in read]
        return super()._encode(read)

    def load(self) -> None: ...


@pytest.fixture
def bilingual(database: Engine, tmp_path: Path) -> KnowledgeBase:
    members = [Member(_English(128), 0.65), Member(_Bilingual(512), 0.35)]
    return KnowledgeBase(database, tmp_path, EnsembleEmbedder(members))


@pytest.fixture
def chinese(bilingual: KnowledgeBase) -> KnowledgeBase:
    bilingual.add("returns.md", RETURNS)
    bilingual.add("shipping.md", SHIPPING)
    return bilingual


def test_question_is_weighed_for_documents_in_another_language(chinese: KnowledgeBase) -> None:
    for question in ("How can I return the tea?", "怎么退货？"):
        result = chinese.retriever.search(question, 5)
        assert result.passages[0].passage.text == RETURNS
        assert np.linalg.norm(result.query_vector) > 1.1  # the multilingual part counts for more


def test_english_question_stays_as_it_is_where_most_of_what_it_finds_is_english(chinese: KnowledgeBase) -> None:
    for n, text in enumerate(("You can return the tea within a week.", "Return labels are free.", "We ship tea.")):
        chinese.add(f"english-{n}.md", text)
    result = chinese.retriever.search("How can I return the tea?", 5)
    assert result.passages[0].passage.text == "You can return the tea within a week."
    np.testing.assert_allclose(np.linalg.norm(result.query_vector), 1.0, atol=1e-6)
