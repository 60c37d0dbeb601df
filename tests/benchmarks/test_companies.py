from __future__ import annotations

from pathlib import Path

from benchmarks._companies import collection_of, company_files, company_queries
from generator.train.companies import read_companies
from ingest.parsed import BlockKind
from ingest.parsers.markdown import parse_markdown

FERRY = """# Northway Ferries & Sons
## Timetable, summer
### When we sail
1. Boats leave every hour.
2. On Sundays they leave every two hours.
### May I bring a dog?
3. Yes, on deck.

Q: how often on sunday | 2
Q: dog ok? | 3
Q: how often do you go >> 1 >> and in winter | -
"""


def test_company_becomes_files_and_golden_questions(tmp_path: Path) -> None:
    (tmp_path / "ferry.txt").write_text(FERRY, encoding="utf-8")
    (company,) = read_companies(tmp_path)
    files, queries = company_files(company), company_queries(company)
    assert collection_of(company) == "northway-ferries-sons"
    assert files["timetable-summer.md"] == (
        "# Timetable, summer\n\n## When we sail\n\nBoats leave every hour. On Sundays they leave every two hours.\n"
    )
    assert files["faq.csv"].splitlines() == ["question,answer", 'May I bring a dog?,"Yes, on deck."']
    assert [query.answerable for query in queries] == [True, True, False]
    assert all(piece.quote in files[piece.source] for query in queries for piece in query.evidence)
    assert [message.content for message in queries[2].history] == ["how often do you go", "Boats leave every hour."]


def test_table_is_ingested_as_the_company_file_reads_it(tmp_path: Path) -> None:
    rows = "| Zone | Islands | Return |\n3. | A | Skerry, Holm | £9.40 |\n4. | B | Farholm |  |\n5. Bikes are free.\n"
    (tmp_path / "ferry.txt").write_text(
        FERRY.replace("### May I", rows + "### May I").replace("3. Yes", "6. Yes"), "utf-8"
    )
    (company,) = read_companies(tmp_path)
    source = company_files(company)["timetable-summer.md"]
    parsed = parse_markdown(source.encode(), "timetable.md")
    told = [parsed.text[block.start : block.end] for block in parsed.blocks if block.kind is BlockKind.TABLE_ROW]
    assert told == [sentence.text for sentence in company.sentences if sentence.columns]
    assert "Bikes are free." in parsed.text
