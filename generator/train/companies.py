"""The question sets about invented companies that were written for this project: how a customer asks, and near misses.

A file is a company: ``# name``, documents under ``##``, sections under ``###``, numbered sentences, and questions::

    # Fjordlink Mobile
    ## Roaming guide
    ### Using your phone abroad
    1. Your plan works in every country of zone 1 exactly as it does at home.
    | Zone | Countries | A minute |
    2. | 2 | Turkey, Morocco | €0.29 |
    Q: do i pay extra when i only check my mail in norway | 1
    Q: is there a cheaper pass for a whole month | -
    Q: does it work in norway >> 1 >> and in turkey | -

After the bar stand the sentences that answer, or ``-`` for none. Of ``first question >> sentences of the reply >>
follow-up`` the follow-up is asked. A table is a line of column names and a numbered line for each row; a row reads as
ingestion writes it, ``Zone: 2; Countries: Turkey, Morocco; A minute: €0.29.``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from domain.chat import ChatMessage, Role
from domain.errors import InvalidInput

_SENTENCE = re.compile(r"(?P<number>\d+)\. (?P<text>.+)")
_QUESTION = re.compile(r"Q: (?P<asked>.+) \| (?P<answers>-|[\d ]+)")
_TURNS = " >> "
_BORDER = "|"


@dataclass(frozen=True, slots=True)
class CompanySentence:
    """``columns`` and ``cells`` are set for the row of a table."""

    document: str
    heading: str
    text: str
    columns: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InventedQuestion:
    """``answers``: numbers of sentences, from 1; none, when the company's documents do not answer it."""

    question: str
    history: tuple[ChatMessage, ...]
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Company:
    """``sentences[n - 1]`` is sentence ``n``."""

    name: str
    sentences: tuple[CompanySentence, ...]
    questions: tuple[InventedQuestion, ...]


def read_companies(folder: Path) -> Iterator[Company]:
    """
    Raises:
        InvalidInput: a line is not understood.
    """
    for path in sorted(folder.glob("*.txt")):
        try:
            yield _parse(path.read_text(encoding="utf-8").splitlines())
        except ValueError as error:
            raise InvalidInput(f"{path.name}: {error}", "Correct the line; the format stands in the module.") from error


def _parse(lines: Iterable[str]) -> Company:
    name = document = heading = ""
    columns: tuple[str, ...] = ()
    told: list[CompanySentence] = []
    asked: list[InventedQuestion] = []
    for line in filter(None, map(str.strip, lines)):
        mark, _, rest = line.partition(" ")
        if mark == "#":
            name = rest
        elif mark == "##":
            document, heading, columns = rest, "", ()
        elif mark == "###":
            heading, columns = rest, ()
        elif mark == _BORDER:
            columns = _cells(line)
        elif found := _SENTENCE.fullmatch(line):
            if int(found["number"]) != len(told) + 1:
                raise ValueError(f"sentence {found['number']} stands where {len(told) + 1} should")
            told.append(_sentence(document, heading, columns, found["text"]))
        elif found := _QUESTION.fullmatch(line):
            asked.append(_question(found["asked"], found["answers"], told))
        else:
            raise ValueError(f"not understood: {line[:60]}")
    return Company(name, tuple(told), tuple(asked))


def _sentence(document: str, heading: str, columns: tuple[str, ...], text: str) -> CompanySentence:
    if not text.startswith(_BORDER):
        return CompanySentence(document, heading, text)
    cells = _cells(text)
    if len(cells) != len(columns):
        raise ValueError(f"a row of {len(cells)} cells below {len(columns)} columns: {text[:60]}")
    row = "; ".join(f"{column}: {cell}" for column, cell in zip(columns, cells, strict=True) if cell)
    return CompanySentence(document, heading, f"{row}.", columns, cells)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip(_BORDER).split(_BORDER))


def _question(asked: str, answers: str, told: list[CompanySentence]) -> InventedQuestion:
    *before, question = asked.split(_TURNS)
    history: tuple[ChatMessage, ...] = ()
    if before:
        first, reply = before
        said = " ".join(told[n - 1].text for n in _numbers(reply, told))
        history = (ChatMessage(Role.USER, first), ChatMessage(Role.ASSISTANT, said))
    return InventedQuestion(question, history, () if answers == "-" else _numbers(answers, told))


def _numbers(text: str, told: list[CompanySentence]) -> tuple[int, ...]:
    numbers = tuple(map(int, text.split()))
    if not all(1 <= n <= len(told) for n in numbers):
        raise ValueError(f"there is no such sentence: {text}")
    return numbers
