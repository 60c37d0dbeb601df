from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import InvalidInput
from generator.train.companies import read_companies

FERRY = """# Northway Ferries
## Timetable
### In summer
1. Boats leave every hour.
2. On Sundays they leave every two hours.
## Dogs
3. Dogs travel free on deck.

Q: how often on sunday | 2
Q: can my dog go inside | -
Q: how often do you go >> 1 2 >> and in winter | -
"""


def _read(folder: Path, text: str) -> None:
    (folder / "ferry.txt").write_text(text, encoding="utf-8")
    list(read_companies(folder))


def test_company_is_read_with_its_documents_questions_and_follow_ups(tmp_path: Path) -> None:
    (tmp_path / "ferry.txt").write_text(FERRY, encoding="utf-8")
    (company,) = read_companies(tmp_path)
    assert [(s.document, s.heading) for s in company.sentences] == [
        ("Timetable", "In summer"),
        ("Timetable", "In summer"),
        ("Dogs", ""),
    ]
    assert [(asked.question, asked.answers) for asked in company.questions] == [
        ("how often on sunday", (2,)),
        ("can my dog go inside", ()),
        ("and in winter", ()),
    ]
    told = company.questions[2].history
    assert [message.content for message in told] == [
        "how often do you go",
        "Boats leave every hour. On Sundays they leave every two hours.",
    ]


FARES = """# Northway Ferries
## Fares
### Price list
1. Children pay half.
| Zone | Islands | Return |
2. | A | Skerry, Holm | £9.40 |
3. | B | Farholm |  |
4. Bicycles are free.
### Dogs
5. Dogs travel free.
Q: return to holm | 2
"""


def test_row_of_a_table_names_its_columns(tmp_path: Path) -> None:
    (tmp_path / "ferry.txt").write_text(FARES, encoding="utf-8")
    (company,) = read_companies(tmp_path)
    assert [sentence.text for sentence in company.sentences] == [
        "Children pay half.",
        "Zone: A; Islands: Skerry, Holm; Return: £9.40.",
        "Zone: B; Islands: Farholm.",
        "Bicycles are free.",
        "Dogs travel free.",
    ]
    assert [len(sentence.columns) for sentence in company.sentences] == [0, 3, 3, 0, 0]


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (FERRY.replace("2. On", "4. On"), "sentence 4 stands where 2 should"),
        (FERRY.replace("| 2", "| 9"), "no such sentence: 9"),
        (FERRY.replace("Q: can", "can"), "not understood: can my dog"),
        (FARES.replace("| B | Farholm |  |", "| B | Farholm |"), "a row of 2 cells below 3 columns"),
    ],
)
def test_mistake_in_a_file_is_named(tmp_path: Path, broken: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        _read(tmp_path, broken)


def test_shipped_companies_are_whole_and_have_questions_that_nothing_answers() -> None:
    companies = list(read_companies(Path(__file__).parents[2] / "examples" / "companies"))
    assert len(companies) > 100
    asked = [question for company in companies for question in company.questions]
    unanswerable = sum(not question.answers for question in asked)
    assert 0.25 < unanswerable / len(asked) < 0.4
    assert len({company.name for company in companies}) == len(companies)
