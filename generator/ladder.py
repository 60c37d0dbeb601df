"""The answer ladder for one question: curated, composed, quoted, or nothing.

Each rung yields events only through the turn's ``emit``, so each sentence is proven at the door; a rung that says
nothing hands over to the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from domain.chat import AnswerPath, TurnEvent
from domain.documents import ScoredPassage
from domain.errors import PromptTooLong, Unavailable
from domain.language import ENGLISH, language_of
from domain.protocols import Embedder, LanguageModel, Reader, SearchResult
from domain.text import sentences
from generator.composition import Composition
from generator.confidence import Confidence, WordVectors, assess
from generator.evidence import Snippet, choose_snippets, score_sentences
from generator.refusal import RefusalModel
from generator.search_plan import PlannedSearch
from generator.settings import GeneratorSettings
from generator.turn import Turn

logger = logging.getLogger(__name__)
_MAX_CURATED_SENTENCES = 6
_CLEARLY_BEST = 0.03  # cosine by which a FAQ question must beat the next one


@dataclass(slots=True)
class Climb:
    """How one question went: what the receipt says about it. ``path`` is REFUSAL until a rung has spoken."""

    planned: PlannedSearch
    result: SearchResult
    confidence: Confidence
    snippets: Sequence[Snippet]
    refusal: RefusalModel
    answers_from: float  # the confidence from which it may answer
    in_english: bool = True  # the question and what was found for it
    path: AnswerPath = AnswerPath.REFUSAL
    notes: list[str] = field(default_factory=list)
    composition: Composition | None = None

    def receipt(self) -> dict[str, object]:
        return {
            "question": self.planned.part,
            "condensed": self.planned.query,
            "passages": [
                {"passage_id": h.passage.passage_id, "score": round(h.score, 4)} for h in self.result.passages
            ],
            "shown": [snippet.hit.passage.passage_id for snippet in self.snippets],
            "confidence": self.confidence.to_dict(),
            "path": self.path.value,
            "in_english": self.in_english,
            "notes": self.notes,
            "declined": self.composition.declined if self.composition else None,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """A reader, and the calibration that was fitted to what it says."""

    reader: Reader
    refusal: RefusalModel


class Ladder:
    """Holds what every question needs; keeps nothing of a question but word vectors."""

    def __init__(
        self,
        embedder: Embedder,
        refusal: RefusalModel,
        language_model: LanguageModel | None,
        settings: GeneratorSettings,
        reading: Reading | None = None,
    ) -> None:
        self._embedder = embedder
        self._refusal = refusal
        self._reading = reading
        self._model = language_model if language_model is not None and language_model.is_grounded else None
        self._settings = settings
        self._word_vectors = WordVectors(embedder)

    @property
    def model_name(self) -> str | None:
        return self._model.name if self._model else None

    def prepare(self, planned: PlannedSearch, result: SearchResult, language: str | None = None) -> Climb:
        """Read the evidence and judge the confidence; says nothing yet.

        Args:
            language: the customer's; None, when nobody can tell, counts as English.
        """
        languages = {language, *(language_of(hit.passage.text) for hit in result.passages[:1])}
        in_english = languages <= {None, ENGLISH}
        reading = self._reading if in_english else None
        refusal = reading.refusal if reading else self._refusal
        found = score_sentences(planned, result, self._embedder, reading.reader if reading else None)
        word_vectors = self._word_vectors if in_english else None
        confidence = assess(planned.as_searched(result), result.passages, found, word_vectors, refusal)
        snippets = choose_snippets(found.sentences, self._settings.evidence_words)
        answers_from = _threshold(refusal, self._settings)
        return Climb(planned, result, confidence, snippets, refusal, answers_from, in_english)

    def weigh(self, state: Climb) -> None:
        """Ask the GPT-2 which snippet it would say, and how much it has for declining; says nothing yet.

        It knows English only, and is not asked where a FAQ entry answers. Where it fails, the next rung quotes.
        """
        is_asked = state.in_english and state.snippets and self._matching_entry(state) is None
        if self._model is not None and is_asked:
            limits = (self._settings.max_new_tokens, self._settings.max_sentences)
            asked = state.planned.as_composed(state.result)
            try:
                state.composition = Composition(self._model, asked, state.snippets, *limits)
            except (Unavailable, PromptTooLong) as error:
                logger.warning("the language model could not choose", extra={"reason": str(error)})
                state.notes.append(f"model failed: {error}")
                return
            state.confidence = state.confidence.with_model(state.composition.declined, state.refusal)

    def climb(self, state: Climb, turn: Turn) -> Iterator[TurnEvent]:
        """Try the rungs in order; ``state.path`` tells afterwards which one spoke."""
        for rung, path in (
            (self._curated, AnswerPath.CURATED),
            (self._generated, AnswerPath.GENERATED),
            (self._extractive, AnswerPath.EXTRACTIVE),
        ):
            before = turn.proven
            yield from rung(state, turn)
            if turn.proven > before:
                state.path = path
                return

    def _curated(self, state: Climb, turn: Turn) -> Iterator[TurnEvent]:
        hit = self._matching_entry(state)
        if hit is not None:
            for sentence in sentences(hit.passage.text)[:_MAX_CURATED_SENTENCES]:
                yield from turn.emit(sentence, [hit])

    def _matching_entry(self, state: Climb) -> ScoredPassage | None:
        """The FAQ entry that asks the same and beats every other entry clearly; a word of the question that it does
        not know of speaks against it."""
        entries = sorted(state.result.passages, key=lambda hit: -(hit.question_score or 0.0))
        if not entries or (entries[0].question_score or 0.0) < self._settings.curated_at or state.confidence.uncovered:
            return None
        best, others = entries[0], [hit for hit in entries[1:] if hit.passage.text != entries[0].passage.text]
        runner_up = max((hit.question_score or 0.0 for hit in others), default=0.0)
        return best if (best.question_score or 0.0) - runner_up >= _CLEARLY_BEST else None

    def _is_confident(self, state: Climb) -> bool:
        return bool(state.snippets) and state.confidence.value >= state.answers_from

    def _generated(self, state: Climb, turn: Turn) -> Iterator[TurnEvent]:
        if state.composition is not None and self._is_confident(state):
            for sentence, snippet in state.composition.sentences():
                yield from turn.emit(sentence.text, [sentence.hit], snippet.span)

    def _extractive(self, state: Climb, turn: Turn) -> Iterator[TurnEvent]:
        if not self._is_confident(state):
            return
        best = state.snippets[0]
        for sentence in best.to_say:
            yield from turn.emit(sentence.text, [sentence.hit], best.span)


def _threshold(refusal: RefusalModel, settings: GeneratorSettings) -> float:
    if settings.refuse_below is not None:
        return settings.refuse_below
    return refusal.refuse_below if settings.max_wrong is None else refusal.threshold(settings.max_wrong)
