"""Checking an answer after the fact: do its quotes still stand in the document versions they were taken from?"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from api.bootstrap import Services
from domain.chat import Citation
from domain.errors import DocumentNotFound
from domain.ids import sha256_hex


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    """``intact`` is False when the stored version no longer says what the citation quotes, or is gone."""

    n: int
    source: str
    intact: bool
    result: str

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def verify_answer(services: Services, answer_id: str) -> list[QuoteCheck]:
    """One check a citation.

    Raises:
        AnswerNotFound: no such answer.
    """
    return [_check(services, citation) for citation in services.conversations.answer(answer_id).citations]


def _check(services: Services, citation: Citation) -> QuoteCheck:
    try:
        version = services.documents.version(citation.document_id, citation.version)
    except DocumentNotFound:
        return QuoteCheck(citation.n, citation.source, False, "the document was deleted")
    stored = version.text[citation.start_char : citation.end_char]
    if stored != citation.quote:
        return QuoteCheck(citation.n, citation.source, False, "the stored version has other words there")
    if sha256_hex(citation.quote) != citation.sha256:
        return QuoteCheck(citation.n, citation.source, False, "the quote does not match its hash")
    return QuoteCheck(citation.n, citation.source, True, "the quote stands in the stored version")
