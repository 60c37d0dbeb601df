"""One customer turn, from the question to the last event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.chat import (
    AnswerPath,
    AnswerStatus,
    ChatMessage,
    PassagesFound,
    Role,
    TurnEvent,
    TurnFinished,
)
from domain.language import language_of
from domain.protocols import Embedder, LanguageModel, Searcher, SearchResult
from generator import courtesy
from generator.courtesy import Recognised
from generator.ladder import Climb, Ladder, Reading
from generator.phrases import Courtesy, not_found
from generator.questions import validate
from generator.refusal import RefusalModel
from generator.scope import OutOfScope, out_of_scope
from generator.search_plan import PlannedSearch, interleave, plan_searches
from generator.settings import GeneratorSettings
from generator.turn import Turn


class Agent:
    """Answers a question from the documents that ``searcher`` finds, and says nothing that they do not prove.

    Safe to use from several threads: a turn's state lives in the turn.

    Args:
        refusal: says how likely the evidence answers, and how likely it has to.
        language_model: composes answers; without one, or with one that is not grounded, passages are quoted.
        reading: finds the sentences that answer, in English; without it, and in other languages, words and vectors do.
    """

    def __init__(
        self,
        searcher: Searcher,
        embedder: Embedder,
        refusal: RefusalModel,
        language_model: LanguageModel | None,
        settings: GeneratorSettings,
        reading: Reading | None = None,
    ) -> None:
        self._searcher = searcher
        self._settings = settings
        self._ladder = Ladder(embedder, refusal, language_model, settings, reading)

    def validate(self, question: str) -> str:
        """The question as it will be used: normalised and trimmed.

        Raises:
            QuestionInvalid: empty, too long, or without letters.
        """
        return validate(question, self._settings.max_question_chars)

    def answer(
        self, question: str, history: Sequence[ChatMessage] = (), collection: str | None = None
    ) -> Iterator[TurnEvent]:
        """The events of the turn: ``PassagesFound`` first, ``TurnFinished`` last; closing the iterator ends the turn.

        The question is checked before the iterator is returned.

        Raises:
            QuestionInvalid: see ``validate``.
        """
        return self._turn(self.validate(question), tuple(history), collection)

    def _turn(self, question: str, history: Sequence[ChatMessage], collection: str | None) -> Iterator[TurnEvent]:
        recognised = courtesy.recognise(question)
        turn = Turn(question, recognised.language if recognised else _language(question, history))
        if recognised is not None:
            yield from self._courtesy(recognised, turn)
            return
        kind = out_of_scope(question)
        if kind is not None:
            yield from self._decline(kind, turn)
            return
        climbs = self._prepare(question, history, collection, turn)
        found = interleave([climb.result.passages for climb in climbs])
        yield PassagesFound(tuple(hit.passage.passage_id for hit in found))
        with turn.timed("generate"):
            for climb in climbs:
                self._ladder.weigh(climb)
        for climb in climbs:
            yield from self._ladder.climb(climb, turn)
        if turn.proven:
            for climb in climbs:
                if climb.path is AnswerPath.REFUSAL and not _repeats_another(climb, turn):
                    yield from turn.say(not_found(climb.planned.part, turn.language))
        else:
            knows = any(climb.result.passages for climb in climbs)
            yield from turn.say(Courtesy.REFUSAL if knows else Courtesy.NO_KNOWLEDGE)
            yield from turn.say(Courtesy.OFFER)
        yield self._finish(question, climbs, turn)

    def _courtesy(self, recognised: Recognised, turn: Turn) -> Iterator[TurnEvent]:
        said = recognised.courtesy
        yield PassagesFound(())
        yield from turn.say(said)
        status = AnswerStatus.HANDOFF if said is Courtesy.HANDOFF else AnswerStatus.ANSWERED
        answer = turn.finish(status, AnswerPath.COURTESY, 1.0, None, None)
        yield TurnFinished(answer, {"path": AnswerPath.COURTESY.value, "courtesy": said.name.lower()})

    def _decline(self, kind: OutOfScope, turn: Turn) -> Iterator[TurnEvent]:
        """No search: whatever it finds would look like an answer and be none."""
        yield PassagesFound(())
        yield from turn.say(Courtesy.PRIVATE if kind is OutOfScope.PRIVATE else Courtesy.OPINION)
        yield from turn.say(Courtesy.OFFER)
        answer = turn.finish(AnswerStatus.REFUSED, AnswerPath.REFUSAL, 0.0, None, None)
        yield TurnFinished(answer, {"path": AnswerPath.REFUSAL.value, "out_of_scope": kind.name.lower()})

    def _prepare(
        self, question: str, history: Sequence[ChatMessage], collection: str | None, turn: Turn
    ) -> list[Climb]:
        """Retrieve for each part of the message and judge what was found."""
        planned = plan_searches(question, history, self._settings.max_question_chars)
        with turn.timed("retrieve"):
            results = self._search(planned, collection)
            return [
                self._ladder.prepare(one, result, turn.asked_in) for one, result in zip(planned, results, strict=True)
            ]

    def _search(self, planned: Sequence[PlannedSearch], collection: str | None) -> list[SearchResult]:
        """All from one generation: if another was promoted between two of the searches, they are done again."""
        while True:
            results = [one.run(self._searcher, self._settings.passages, collection) for one in planned]
            if len({result.generation for result in results}) <= 1:
                return results

    def _finish(self, question: str, climbs: Sequence[Climb], turn: Turn) -> TurnFinished:
        spoken = [climb for climb in climbs if climb.path is not AnswerPath.REFUSAL]
        paths = {climb.path for climb in spoken}
        ladder = (AnswerPath.GENERATED, AnswerPath.EXTRACTIVE, AnswerPath.CURATED)
        path = next((path for path in ladder if path in paths), AnswerPath.REFUSAL)
        confidence = max(climb.confidence.value for climb in spoken or climbs)
        generation = _first_generation([climb.result for climb in climbs])
        model = self._ladder.model_name if path is AnswerPath.GENERATED else None
        status = AnswerStatus.ANSWERED if spoken else AnswerStatus.REFUSED
        answer = turn.finish(status, path, confidence, generation, model)
        receipt: dict[str, object] = {
            "question": question,
            "language": turn.language,
            "path": path.value,
            "parts": [climb.receipt() for climb in climbs],
            "dropped": turn.dropped,
            "generation": generation,
            "model": self._ladder.model_name,
            "timings_ms": dict(answer.timings_ms),
        }
        return TurnFinished(answer, receipt)


def _language(question: str, history: Sequence[ChatMessage]) -> str | None:
    """The customer's language; a message too short to tell is in that of the one before."""
    said = [question, *(message.content for message in reversed(history) if message.role is Role.USER)]
    return next((language for text in said if (language := language_of(text)) is not None), None)


def _first_generation(results: Sequence[SearchResult]) -> str | None:
    return next((result.generation for result in results if result.generation is not None), None)


def _repeats_another(climb: Climb, turn: Turn) -> bool:
    """True when the part was answered by sentences that another part had already brought."""
    said = {str(entry["text"]) for entry in turn.dropped if entry["reason"] == "said already"}
    return any(" ".join(s.text.split()) in said for snippet in climb.snippets for s in snippet.sentences)
