"""The measuring itself, over a real database and real ingestion; only the vectors and the GPT-2 are left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest
from rich.console import Console

from api.bootstrap import Services
from api.settings import Settings
from api.uploads import store_upload
from benchmarks._asking import Examiner
from benchmarks._doc2dial import COLLECTION, Turn, file_name
from benchmarks._figures import SmolLMFigures, answer_figures, comparisons, refusal_figures
from benchmarks._knowledge_base import open_product, without_document
from benchmarks._peers import BestSentence
from benchmarks._tables import print_report
from domain.text import Span
from generator.evaluation import GoldenQuery, GoldEvidence
from generator.settings import GeneratorSettings
from retriever.remembering import RememberingEmbedder
from tests.fakes import HashEmbedder, ScriptedLanguageModel

FEES, PLATES = "Fees#1_0", "Plates#1_0"
ORIGINALS = {
    FEES: "A registration fee of forty dollars is due in May. \n\nThe fee can be paid by credit card at any office.",
    PLATES: "Return old license plates by mail to the main office. \n\nWe send a receipt for returned plates.",
}


class FirstSentence(BestSentence):
    def choose(self, question: str, passages: Sequence[str]) -> str:
        return passages[0].split("\n")[0]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    settings = Settings(generator=GeneratorSettings(refuse_below=0.0))
    folder = tmp_path_factory.mktemp("answer-quality") / "data"
    embedder, silent = RememberingEmbedder(HashEmbedder()), ScriptedLanguageModel([])
    with open_product(settings, folder, embedder, silent) as services:
        for doc_id, text in ORIGINALS.items():
            store_upload(services, file_name(doc_id), [text.encode()], COLLECTION)
        while services.worker().run_once():
            pass
        yield services


def _turn(question: str, document: str, gold: str) -> Turn:
    start = ORIGINALS[document].index(gold)
    evidence = (GoldEvidence(file_name(document), gold),)
    query = GoldenQuery(question, question, (), COLLECTION, evidence, (), True)
    return Turn(query, document, (Span(start, start + len(gold)),), False)


TURN = _turn("How high is the registration fee?", FEES, "A registration fee of forty dollars is due in May.")


def test_answer_from_the_gold_span_is_seen_to_be_right_and_exact(product: Services) -> None:
    agent = product.make_agent(None)
    record = Examiner(product, agent, ORIGINALS, agent, FirstSentence()).ask(TURN)
    assert record.figures.path == "extractive"
    assert record.figures.f1 > 0.5
    assert record.gold_found
    assert record.is_right
    assert record.quotes_exact == record.figures.citations > 0
    assert record.quoted is not None
    assert record.quoted.f1 == record.figures.f1  # the same agent
    assert record.sentence_f1 == 1.0
    assert record.window_f1 == 1.0
    assert record.parts[0]["path"] == "extractive"


def test_quote_beside_the_gold_span_is_not_taken_for_right(product: Services) -> None:
    turn = _turn("How high is the registration fee?", PLATES, "We send a receipt for returned plates.")
    record = Examiner(product, product.make_agent(None), ORIGINALS).ask(turn)
    assert record.figures.answered
    assert not record.is_right
    assert record.quoted is None


def test_document_is_taken_from_the_copy_and_stays_in_the_original(product: Services) -> None:
    with without_document(product, file_name(FEES), COLLECTION) as reduced:
        record = Examiner(reduced, reduced.make_agent(None), ORIGINALS).ask(TURN)
        assert not record.gold_found
        assert not record.is_right
        assert record.passages  # of the other document
    assert Examiner(product, product.make_agent(None), ORIGINALS).ask(TURN).gold_found


def test_courtesy_is_recorded_with_the_passages_that_peers_are_shown(product: Services) -> None:
    thanks = _turn("Thank you!", FEES, "A registration fee of forty dollars is due in May.")
    record = Examiner(product, product.make_agent(None), ORIGINALS).ask(thanks)
    assert (record.figures.path, record.figures.f1, record.parts) == ("courtesy", 0.0, ())
    assert record.passages


def test_report_is_json_and_can_be_printed(product: Services) -> None:
    agent = product.make_agent(None)
    records = [Examiner(product, agent, ORIGINALS, agent, FirstSentence()).ask(TURN)]
    report = {
        **{"questions": 1, "documents": 1, "side": "fit", "commit": "abc", "model": None},
        "groups": answer_figures(records),
        "comparisons": comparisons(records, {TURN.query.id: 0.5}),
        "smollm": SmolLMFigures({TURN.query.id: 0.5}, [0.9], [4.5]).to_dict(),
        "refusal": refusal_figures(records, records),
    }
    assert json.loads(json.dumps(report))["comparisons"]["all"]["smollm"]["theirs"] == 0.5
    console = Console(record=True, width=160)
    print_report(console, report)
    printed = console.export_text()
    assert "1 questions on 1 fit documents" in printed
    assert "SmolLM2: F1 0.500" in printed
    assert "extractive (1)" in printed
