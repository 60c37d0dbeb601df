from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import DocumentUnreadable
from ingest.parsed import BlockKind
from ingest.settings import IngestSettings
from ingest.splitting import split
from tests.ingest.samples import parsed


@pytest.mark.parametrize(
    "content",
    [
        'question,answer,category\nCan I return it?,"Yes, in 30 days.",Returns\n',
        "Q;A;Topic\r\nCan I return it?;Yes, in 30 days.;Returns\r\n",
        "\ufeff Answer\tQuestion:\tCategory\nYes, in 30 days.\tCan I return it?\tReturns\n",
    ],
)
def test_header_variants_and_delimiters(tmp_path: Path, content: str) -> None:
    document = parsed(tmp_path, "faq.csv", content)
    passage = split(document, "d", 1, IngestSettings())[0]
    assert document.text == "Returns\n\nCan I return it?\nYes, in 30 days."
    assert (passage.question, passage.text) == ("Can I return it?", "Yes, in 30 days.")
    assert passage.heading_path == ("Returns",)


def test_json_list_wrapped_list_and_lines_say_the_same(tmp_path: Path) -> None:
    entry = '{"Question": "Can I return it?", "response": "Yes."}'
    texts = {
        parsed(tmp_path, "a.json", f"[{entry}]").text,
        parsed(tmp_path, "b.json", f'{{"version": 1, "faq": [{entry}]}}').text,
        parsed(tmp_path, "c.jsonl", f"{entry}\n\n").text,
    }
    assert texts == {"Can I return it?\nYes."}


def test_entries_without_an_answer_are_skipped_and_counted(tmp_path: Path) -> None:
    document = parsed(tmp_path, "faq.csv", "question,answer\nA?,Yes.\nB?,\nC?\n,No.\nD?,\u200b\n")
    assert document.text == "A?\nYes."
    assert document.skipped_rows == 4


def test_file_without_a_single_answer_fails_with_the_count(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="2 entries and none with both"):
        parsed(tmp_path, "faq.csv", "question,answer\nA?,\nB?,\n")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", '{"question": "A?"', "not valid JSON"),
        ("a.json", '"hello"', "holds a string where a list was expected"),
        ("a.json", '[["A?", "Yes."]]', "entry 1 is a list, not an object"),
        ("a.json", '[{"title": "A?", "body": "Yes."}]', "No entry of a.json has both"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.jsonl", '{"q": "A?", "a": "Yes."}\nnope\n', "Line 2 of a.jsonl is not valid JSON"),
        ("a.jsonl", '{"q": "A?", "a": "Yes."}\n7\n', "line 2 is a number"),
    ],
)
def test_wrong_shape_has_a_clear_reason(tmp_path: Path, name: str, content: str, reason: str) -> None:
    with pytest.raises(DocumentUnreadable, match=reason) as caught:
        parsed(tmp_path, name, content)
    assert '"question"' in caught.value.remedy


def test_answer_in_several_paragraphs_keeps_them(tmp_path: Path) -> None:
    document = parsed(tmp_path, "faq.json", '[{"q": "How?", "a": ["Step one.", "Step two."]}]')
    answer = document.blocks[-1]
    assert answer.kind is BlockKind.ANSWER
    assert document.text[answer.start : answer.end] == "Step one.\n\nStep two."


def test_csv_that_is_no_faq_becomes_a_document_of_rows(tmp_path: Path) -> None:
    document = parsed(tmp_path, "prices.csv", "Zone;Price;Time\nEurope;9.90 EUR;3-5 days\nWorld;24 EUR;\n")
    assert document.text == "Zone: Europe; Price: 9.90 EUR; Time: 3-5 days.\nZone: World; Price: 24 EUR."
    assert document.title == "Prices"


def test_latin1_csv_and_oversized_field(tmp_path: Path) -> None:
    assert "Für 5 €" in parsed(tmp_path, "a.csv", "frage,antwort\nWie?,Für 5 €\n".encode("cp1252")).text
    with pytest.raises(DocumentUnreadable, match="not readable as CSV"):
        parsed(tmp_path, "b.csv", 'question,answer\nA?,"' + "x" * 200_000 + '"\n')
