"""What one customer turn has said so far, and the only two ways to say anything.

``emit`` takes a sentence together with the passages that are to prove it, and says nothing without proof; ``say`` takes
a fixed phrase. No other code makes a ``Sentence`` or a ``Citation``, so nothing unproven can reach the customer.
"""

from __future__ import annotations

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
from domain.documents import ScoredPassage
from domain.ids import new_id, sha256_hex
from domain.text import Span
from generator.courtesy import Courtesy, FixedPhrase
from generator.grounding import Reason, verify
from generator.tokens import tokens


class Turn:
    """Collects sentences, citations and timings; yields the event of each as it happens."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.citations: list[Citation] = []
        self.dropped: list[dict[str, object]] = []
        self.proven = 0
        self._said: set[tuple[str, ...]] = set()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._started = time.perf_counter()

    def emit(self, text: str, proofs: Sequence[ScoredPassage]) -> Iterator[TurnEvent]:
        """Say ``text`` if one of ``proofs`` supports it, tried in order; otherwise note why not. A repeat is skipped.

        The mark points at the supporting sentences themselves, not at the whole passage.
        """
        text = " ".join(text.split())
        key = tuple(token.key for token in tokens(text))
        if key in self._said:
            self.dropped.append({"text": text, "reason": "said already"})
            return
        reason = Reason.EMPTY
        for n, hit in enumerate(proofs):
            with self.timed("verify"):
                verdict = verify(text, hit.passage.text)
            if verdict.supported and verdict.span is not None:
                self._said.add(key)
                self.proven += 1
                yield from self._cite(text, hit, verdict.span)
                return
            reason = verdict.reason if n == 0 else reason
        self.dropped.append({"text": text, "reason": reason.value})

    def say(self, phrase: FixedPhrase | Courtesy) -> Iterator[TurnEvent]:
        """Say a fixed phrase, which claims nothing and carries no mark."""
        text = phrase.value.text if isinstance(phrase, Courtesy) else phrase.text
        sentence = Sentence(text, ())
        self.sentences.append(sentence)
        yield SentenceVerified(sentence)

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
        sentence = Sentence(text, (citation.n,))
        self.sentences.append(sentence)
        yield SentenceVerified(sentence)


def _marked(sentence: Sentence) -> str:
    return " ".join([sentence.text, *(f"[{n}]" for n in sentence.citations)])
