"""What one customer turn has said so far, and the only two ways to say anything.

``emit`` takes a sentence together with the passages that are to prove it, and says nothing without proof; ``say`` takes
a fixed phrase. No other code makes a ``Sentence`` or a ``Citation``, so nothing unproven can reach the customer.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from domain.chat import (
    Answer,
    AnswerPath,
    AnswerStatus,
    Citation,
    CitationAdded,
    Sentence,
    SentenceVerified,
    TurnEvent,
)
from domain.documents import ScoredPassage, Section
from domain.ids import new_id, sha256_hex
from domain.language import language_of
from domain.text import Span, sentences
from generator.coherence import heading_denies, is_negated, standing_alone
from generator.grounding import Reason, verify
from generator.phrases import Courtesy, FixedPhrase, notice, phrase, spoken
from generator.tokens import tokens

_MARK = re.compile(r"\[(\d+)\]")


class Turn:
    """Collects sentences, citations and timings; yields the event of each as it happens.

    Args:
        question: the customer's message; one that asks what is denied may be answered from under a denying heading.
        language: the customer's; None when it cannot be told, and then nothing is said about a document's language.
    """

    def __init__(self, question: str = "", language: str | None = None) -> None:
        self.asked_in = language
        self.language = spoken(language)  # of our phrases
        self._document_languages = {language, self.language}  # those that need no notice, or have had theirs
        self._notices: list[str] = []
        self._asks_what_is_denied = is_negated(question)
        self.sentences: list[Sentence] = []
        self.citations: list[Citation] = []
        self.dropped: list[dict[str, object]] = []
        self.proven = 0
        self._told: list[tuple[str, Span]] = []
        self._said: set[tuple[str, ...]] = set()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._started = time.perf_counter()

    def emit(self, text: str, proofs: Sequence[ScoredPassage], quote: Span | None = None) -> Iterator[TurnEvent]:
        """Say ``text`` if one of ``proofs`` supports it, tried in order; otherwise note why not. A repeat is skipped.

        What the sentence cannot do without (``generator.coherence``) is said with it, in the document's own words. The
        mark points at the supporting sentences themselves, not at the whole passage.

        Args:
            quote: of the passage's text; sentences that it holds are quoted as one place, under one mark.
        """
        text = " ".join(text.split())
        key = tuple(token.key for token in tokens(text))
        if key in self._said:
            self.dropped.append({"text": text, "reason": "said already"})
            return
        reason, best = Reason.EMPTY, -1.0
        for hit, part in [(proof, part) for proof in proofs for part in proof.passage.parts]:
            stretch = hit.passage.text[part.start : part.end]  # what stands under other headings proves nothing here
            with self.timed("verify"):
                verdict = verify(text, stretch, _standing_over(hit, part))
            whole = None
            if verdict.span is not None and (self._asks_what_is_denied or not _denied(text, hit, part)):
                whole = standing_alone(stretch, verdict.span)
            if verdict.span is not None and whole is not None:
                self._said.add(key)
                yield from self._tell(text, hit, _within(part, verdict.span), _within(part, whole), quote)
                return
            if verdict.score > best:
                reason, best = Reason.CONTEXT if verdict.supported else verdict.reason, verdict.score
        self.dropped.append({"text": text, "reason": reason.value})

    def _tell(self, text: str, hit: ScoredPassage, span: Span, whole: Span, quote: Span | None) -> Iterator[TurnEvent]:
        passage = hit.passage
        told = [known for passage_id, known in self._told if passage_id == passage.passage_id]
        if any(known.start <= span.start and span.end <= known.end for known in told):
            self.dropped.append({"text": text, "reason": "said already"})
            return
        start = whole.start
        if self._told and self._told[-1][0] == passage.passage_id and self._told[-1][1].end <= span.start:
            start = max(start, self._told[-1][1].end)  # the sentence leans on what was said just now
        before = passage.text[start : span.start]
        cited = Span(span.start - len(before.lstrip()), whole.end)
        lead, tail = before.split(), passage.text[span.end : whole.end].split()
        self._told.append((passage.passage_id, cited))
        self.proven += 1
        yield from self._announce_language(passage.text)
        is_held = quote is not None and quote.start <= cited.start and cited.end <= quote.end
        yield from self._cite(" ".join([*lead, text, *tail]), hit, quote if quote and is_held else cited)

    def say(self, said: FixedPhrase | Courtesy) -> Iterator[TurnEvent]:
        """Say a fixed phrase, which claims nothing and carries no mark; a courtesy in the customer's language."""
        fixed = phrase(said, self.language) if isinstance(said, Courtesy) else said
        sentence = Sentence(fixed.text, ())
        self.sentences.append(sentence)
        yield SentenceVerified(sentence)

    def _announce_language(self, quoted: str) -> Iterator[TurnEvent]:
        """Before the first quotation of a document that is not in the customer's language."""
        language = language_of(quoted)
        if self.asked_in is None or language is None or language in self._document_languages:
            return
        self._document_languages.add(language)
        said = notice(language, self.language)
        self._notices.append(said.text)
        yield from self.say(said)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] += time.perf_counter() - started

    def finish(
        self, status: AnswerStatus, path: AnswerPath, confidence: float, generation: str | None, model: str | None
    ) -> Answer:
        timings = {name: round(1000 * self._seconds[name], 1) for name in ("retrieve", "generate", "verify")}
        timings["total"] = round(1000 * (time.perf_counter() - self._started), 1)
        return Answer(
            answer_id=new_id(),
            text=" ".join(_marked(sentence) for sentence in self.sentences),
            status=status,
            path=path,
            confidence=confidence,
            sentences=tuple(self.sentences),
            citations=tuple(self.citations),
            generation=generation,
            model=model,
            timings_ms=timings,
            language=self.language,
            notice=" ".join(self._notices) or None,
        )

    def _cite(self, text: str, hit: ScoredPassage, span: Span) -> Iterator[TurnEvent]:
        passage = hit.passage
        start, end = passage.start_char + span.start, passage.start_char + span.end
        place = (passage.document_id, passage.version, start, end)
        known = [c for c in self.citations if (c.document_id, c.version, c.start_char, c.end_char) == place]
        if known:
            citation = known[0]
        else:
            quote = span.of(passage.text)
            citation = Citation(
                n=len(self.citations) + 1,
                document_id=passage.document_id,
                source=hit.stored.source,
                title=hit.stored.title,
                version=passage.version,
                passage_id=passage.passage_id,
                start_char=start,
                end_char=end,
                quote=quote,
                sha256=sha256_hex(quote),
                score=hit.score,
            )
            self.citations.append(citation)
            yield CitationAdded(citation)
        # A "[2]" of the document's own must not pass for a mark of ours.
        sentence = Sentence(_MARK.sub(r"(\1)", text), (citation.n,))
        self.sentences.append(sentence)
        yield SentenceVerified(sentence)


def _within(part: Section, span: Span) -> Span:
    return Span(part.start + span.start, part.start + span.end)


def _standing_over(hit: ScoredPassage, part: Section) -> str:
    """The FAQ question or the nearest heading: what the text under it is about."""
    return hit.passage.question or (part.heading_path[-1] if part.heading_path else "")


def _denied(text: str, hit: ScoredPassage, part: Section) -> bool:
    headings = part.heading_path[-1:] if hit.passage.question is None else ()
    return any(heading_denies(heading, sentence) for heading in headings for sentence in sentences(text))


def _marked(sentence: Sentence) -> str:
    return " ".join([sentence.text, *(f"[{n}]" for n in sentence.citations)])
