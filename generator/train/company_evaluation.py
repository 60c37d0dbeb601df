"""How well a model composes answers to a company's held-back questions, by the product's own composing.

Whatever is composed is a copy of the evidence, so what is measured is the choice: by the model's likelihood alone,
which is what training changes, or with the evidence's bias beside it, as the product serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from domain.protocols import LanguageModel, ProgressListener
from domain.text import sentences
from generator.composition import WEIGHTS, Composition, Weights
from generator.metrics import Comparison, compare, support_share, token_f1
from generator.model_gate import ModelFigures
from generator.settings import GeneratorSettings
from generator.train.company_examples import Shown, rightly_said, says

ALONE = Weights(evidence=0.0, model=1.0)
AS_SERVED = WEIGHTS


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """One question; ``f1`` and ``says_right`` are of an answerable one, None otherwise.

    ``refused``: the model finds declining likelier than any sentence. That is one voice in the confidence, which
    decides whether to answer, so an answer is measured all the same.
    """

    answerable: bool
    refused: bool
    f1: float | None
    says_right: float | None
    precision: float | None  # share of the said sentences that say a gold one
    support: float | None


@dataclass(frozen=True, slots=True)
class CompositionFigures:
    """Means over the questions; ``refused`` is of the unanswerable ones, ``answered`` of the answerable ones."""

    questions: int
    answerable: int
    f1: float
    says_right: float
    answered: float
    refused: float
    precision: float
    support: float

    def to_gate(self) -> ModelFigures:
        """``facts``: an answer has its facts when it says a right sentence. Whether the model itself would decline is
        reported and gates nothing: what comes of it in the product, the golden set shows."""
        return ModelFigures(
            questions=self.questions,
            f1=self.f1,
            facts=self.says_right,
            citation_precision=self.precision,
            support=self.support,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    model: LanguageModel,
    shown: Sequence[Shown],
    settings: GeneratorSettings,
    weights: Weights,
    progress: ProgressListener | None = None,
) -> list[AnswerScore]:
    """One score a question, in order."""
    scores: list[AnswerScore] = []
    for done, one in enumerate(shown, start=1):
        limits = (settings.max_new_tokens, settings.max_sentences)
        composition = Composition(model, one.question.question, one.snippets, *limits, weights)
        said = [sentence.text for sentence, _ in composition.sentences()]
        scores.append(_judge(one, said, declined=composition.declined > 0))
        if progress:
            progress(done, len(shown))
    return scores


def first_sentences(shown: Sequence[Shown]) -> list[AnswerScore]:
    """No model at all: the first sentence of the best piece of evidence, whatever was asked."""
    told = [[text for snippet in one.snippets[:1] for text in sentences(snippet.text)] for one in shown]
    return [_judge(one, texts[:1]) for one, texts in zip(shown, told, strict=True)]


def best_possible(shown: Sequence[Shown]) -> list[AnswerScore]:
    """What a model that always chose right would score on the evidence that was found."""
    told = [[text for piece in one.evidence for text in rightly_said(piece, one.question.gold)] for one in shown]
    return [_judge(one, list(dict.fromkeys(texts))) for one, texts in zip(shown, told, strict=True)]


def summarise(scores: Sequence[AnswerScore]) -> CompositionFigures:
    answerable = [score for score in scores if score.answerable]
    unanswerable = [score for score in scores if not score.answerable]
    return CompositionFigures(
        questions=len(scores),
        answerable=len(answerable),
        f1=_mean([score.f1 for score in answerable]),
        says_right=_mean([score.says_right for score in answerable]),
        answered=_mean([float(not score.refused) for score in answerable]),
        refused=_mean([float(score.refused) for score in unanswerable], empty=1.0),
        precision=_mean([score.precision for score in scores if score.precision is not None], empty=1.0),
        support=_mean([score.support for score in scores if score.support is not None], empty=1.0),
    )


def gain(after: Sequence[AnswerScore], before: Sequence[AnswerScore], shown: Sequence[Shown]) -> Comparison:
    """F1 of the answerable questions, paired; questions about one FAQ entry or document are drawn together."""
    kept = [i for i, score in enumerate(after) if score.answerable]
    groups = [min(shown[i].question.groups, default=str(i)) for i in kept]
    return compare([after[i].f1 or 0.0 for i in kept], [before[i].f1 or 0.0 for i in kept], groups)


def _judge(one: Shown, said: Sequence[str], *, declined: bool = False) -> AnswerScore:
    gold = one.question.gold
    right = [says(text, gold) for text in said]
    told = " ".join(said)
    return AnswerScore(
        answerable=bool(gold),
        refused=declined or not said,
        f1=token_f1(told, " ".join(gold)) if gold else None,
        says_right=float(any(right)) if gold else None,
        precision=sum(right) / len(right) if right else None,
        support=support_share(told, [piece.text for piece in one.evidence]) if said else None,
    )


def _mean(values: Sequence[float | None], empty: float = 0.0) -> float:
    kept = [value for value in values if value is not None]
    return round(sum(kept) / len(kept), 4) if kept else empty
