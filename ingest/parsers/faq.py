"""Question and answer files (CSV, JSON, JSON lines); a CSV without such columns becomes a document of rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import DocumentUnreadable
from ingest.cleaning import clean_inline
from ingest.parsed import BlockKind, DocumentBuilder, ParsedDocument
from ingest.parsers.encoding import decode
from ingest.parsers.tables import add_table

_QUESTION_NAMES = ("question", "questions", "q", "frage", "pregunta", "domanda", "vraag", "问题", "質問")
_ANSWER_NAMES = (
    "answer",
    "answers",
    "a",
    "response",
    "reply",
    "antwort",
    "respuesta",
    "réponse",
    "risposta",
    "antwoord",
    "答案",
    "回答",
)
_CATEGORY_NAMES = ("category", "topic", "section", "group", "kategorie", "categoría", "catégorie", "thema")
_DELIMITERS = ",;\t|"
_FAQ_SHAPE = (
    'A FAQ file is a list of objects like {"question": "...", "answer": "..."}, or one such object a line in a '
    ".jsonl file."
)


@dataclass(frozen=True, slots=True)
class _Entry:
    question: str
    answer: str
    category: str = ""


def parse_csv(data: bytes, source: str) -> ParsedDocument:
    text = decode(data)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)) if any(row)]
    except csv.Error as error:
        raise DocumentUnreadable(f"{source} is not readable as CSV: {error}.", "Export it again as CSV.") from error
    header = [_column_name(cell) for cell in rows[0]] if rows else []
    question, answer = _first_index(header, _QUESTION_NAMES), _first_index(header, _ANSWER_NAMES)
    if question is None or answer is None:
        builder = DocumentBuilder()
        add_table(builder, rows[1:], rows[0] if rows else None)
        return builder.build(source)
    category = _first_index(header, _CATEGORY_NAMES)
    entries = [_Entry(_cell(row, question), _cell(row, answer), _cell(row, category)) for row in rows[1:]]
    return _document(entries, source)


def parse_json(data: bytes, source: str) -> ParsedDocument:
    try:
        content = json.loads(decode(data))
    except (ValueError, RecursionError) as error:
        raise DocumentUnreadable(f"{source} is not valid JSON: {error}.", _FAQ_SHAPE) from error
    if isinstance(content, dict):  # {"faq": [...]}
        lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if len(lists) == 1 else content
    if not isinstance(content, list):
        raise DocumentUnreadable(f"{source} holds {_kind(content)} where a list was expected.", _FAQ_SHAPE)
    return _document(_entries(enumerate(content, start=1), source, "entry"), source)


def parse_json_lines(data: bytes, source: str) -> ParsedDocument:
    numbered: list[tuple[int, object]] = []
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            numbered.append((number, json.loads(line)))
        except (ValueError, RecursionError) as error:
            raise DocumentUnreadable(f"Line {number} of {source} is not valid JSON: {error}.", _FAQ_SHAPE) from error
    return _document(_entries(numbered, source, "line"), source)


def _entries(numbered: Iterable[tuple[int, object]], source: str, unit: str) -> list[_Entry]:
    entries = []
    known = False
    for number, item in numbered:
        if not isinstance(item, dict):
            raise DocumentUnreadable(f"In {source}, {unit} {number} is {_kind(item)}, not an object.", _FAQ_SHAPE)
        fields = {_column_name(str(key)): value for key, value in item.items()}
        known = known or (_first(fields, _QUESTION_NAMES) is not None and _first(fields, _ANSWER_NAMES) is not None)
        values = (_first(fields, names) for names in (_QUESTION_NAMES, _ANSWER_NAMES, _CATEGORY_NAMES))
        entries.append(_Entry(*(_as_text(value) for value in values)))
    if entries and not known:
        raise DocumentUnreadable(f"No {unit} of {source} has both a question and an answer field.", _FAQ_SHAPE)
    return entries


def _document(entries: Sequence[_Entry], source: str) -> ParsedDocument:
    """Entries under their category as the heading; those without a question or an answer are skipped and counted."""
    builder = DocumentBuilder()
    category = ""
    complete = [entry for entry in entries if clean_inline(entry.question) and clean_inline(entry.answer)]
    if not complete:
        raise DocumentUnreadable(
            f"{source} has {len(entries)} entries and none with both a question and an answer.", _FAQ_SHAPE
        )
    for entry in complete:
        if entry.category != category:
            builder.end_sections(1)
            builder.heading(entry.category, 2)
            category = entry.category
        builder.add(BlockKind.QUESTION, entry.question)
        builder.add(BlockKind.ANSWER, entry.answer, keep_lines=True, question=clean_inline(entry.question))
    return builder.build(source, skipped_rows=len(entries) - len(complete))


def _delimiter(text: str) -> str:
    """The one that cuts the header line into most cells; csv.Sniffer guesses from prose and is often wrong."""
    first_line = text.lstrip().split("\n", 1)[0]
    return max(_DELIMITERS, key=lambda delimiter: len(next(csv.reader([first_line], delimiter=delimiter), [])))


def _column_name(name: str) -> str:
    return clean_inline(name).strip("\"' :?*").casefold()


def _first_index(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((fields[name] for name in names if name in fields), None)


def _cell(row: Sequence[str], index: int | None) -> str:
    return row[index] if index is not None and index < len(row) else ""


def _as_text(value: Any) -> str:
    """A list of strings is an answer in several paragraphs."""
    if isinstance(value, list):
        return "\n\n".join(_as_text(item) for item in value)
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict) else str(value)


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        int: "a number",
        float: "a number",
        bool: "a truth value",
    }
    return names.get(type(value), "null")
