"""A fine-tuning over the services: train, measure against the live model, judge, publish, promote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api.bootstrap import Services
from domain.ids import sha256_hex
from domain.models import ModelRecord
from domain.protocols import LanguageModel, ProgressListener
from generator.composition import Weights
from generator.evaluation import GoldenQuery, evaluate, load_queries
from generator.evidence import Snippet, choose_snippets, score_sentences
from generator.language_model import find_model_folder
from generator.model_gate import GateVerdict, Margins, ModelFigures, judge
from generator.model_registry import release
from generator.search_plan import PlannedSearch
from generator.train.company import Knowledge, TrainedModel, train_on
from generator.train.company_evaluation import (
    ALONE,
    AS_SERVED,
    best_possible,
    first_sentences,
    gain,
    measure,
    summarise,
)
from generator.train.company_examples import FindEvidence, Shown, show
from generator.train.recipe import CompanyRecipe, load_company_recipe
from retriever.remembering import RememberingEmbedder
from storage.artifacts import ArtifactStore
from storage.ratings import RatingStore

_NO_RISE = Margins(rise=-0.005)  # the golden set has to hold what was reached; the held-back questions show the gain

Stage = Callable[[str], AbstractContextManager[ProgressListener]]


@dataclass(frozen=True)
class Verdicts:
    """``served`` has to rise: held-back questions, chosen with the evidence's bias as the product does. ``choosing``,
    the same by the model's own likelihood, and ``golden``, where the recipe names a golden set, must not fall."""

    by_name: Mapping[str, GateVerdict]

    @property
    def reasons(self) -> list[str]:
        return [f"{name}: {reason}" for name, verdict in self.by_name.items() for reason in verdict.reasons]

    def to_dict(self) -> dict[str, Any]:
        """What the registry keeps: the verdict on what is served beside the others, passed only if every one was."""
        told = {name: verdict.to_dict() for name, verdict in self.by_name.items()}
        return {**told.pop("served"), **told, "passed": not self.reasons, "reasons": self.reasons}


class FineTuning:
    """One run of ``answerdesk finetune``.

    Args:
        stage: opens a progress bar of that name.
    """

    def __init__(self, services: Services, recipe_path: Path, stage: Stage) -> None:
        self._services = services
        self._path = recipe_path
        self._stage = stage
        self._settings = services.settings.generator

    def run(self) -> dict[str, Any]:
        """Train, measure against the live model, judge, publish, promote.

        Raises:
            RecipeInvalid, TooFewQuestions, TrainingDiverged, ModelMissing, ModelUnsuitable, StorageFull
        """
        recipe = load_company_recipe(self._path)
        services = self._services
        live = services.models.live()
        start = self._folder(live) if not recipe.start else self._named(recipe.start)
        services.load_searching()
        services.load_reader()
        golden = load_queries(recipe.golden) if recipe.golden else []
        find = self._evidence_finder(recipe.collection)
        knowledge = self._knowledge(recipe)
        trained = train_on(knowledge, recipe, start, services.settings.data_dir / "finetune", find, self._stage)
        verdicts, figures = self._compare(live, trained, find, golden)
        report = {
            "run": str(trained.run),
            "start": live.model_id if not recipe.start else recipe.start,
            "live": live.model_id,
            "rate": trained.rate,
            "dataset": asdict(trained.dataset),
            **figures,
            "reasons": verdicts.reasons,
            "model": None,
            "promoted": False,
        }
        if trained.folder is not None:
            report |= self._publish(recipe, trained, verdicts, live)
        (trained.run / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        return report

    def _knowledge(self, recipe: CompanyRecipe) -> Knowledge:
        documents = self._services.documents
        passages = [stored for batch in documents.iterate_passages(500) for stored in batch]
        if recipe.collection is not None:
            passages = [stored for stored in passages if stored.collection == recipe.collection]
        rated = list(RatingStore(self._services.engine).iterate_rated())
        written = load_queries(recipe.questions) if recipe.questions else ()
        return Knowledge(passages, rated, written, self._shown_by())

    def _shown_by(self) -> str:
        reader = "read" if self._services.usable_reader else "not read"
        found = f"{self._settings.passages} passages, {self._settings.evidence_words} words"
        return f"{self._services.embedder.fingerprint}, {reader}, {found}"

    def _folder(self, record: ModelRecord) -> Path:
        if record.is_shipped:
            return find_model_folder(self._settings)
        registry = ArtifactStore(self._services.settings.data_dir / "registry")
        return registry.open(record.model_id, record.manifest_sha256).path

    def _named(self, start: str) -> Path:
        return find_model_folder(self._settings.model_copy(update={"model": start}))

    def _evidence_finder(self, collection: str | None) -> FindEvidence:
        """What a turn would show for a question that stands alone."""
        retriever, settings = self._services.retriever, self._settings
        embedder, reader = RememberingEmbedder(self._services.embedder), self._services.usable_reader

        def find(question: str) -> Sequence[Snippet]:
            result = retriever.search(question, settings.passages, collection)
            found = score_sentences(PlannedSearch(question, question), result, embedder, reader)
            return choose_snippets(found.sentences, settings.evidence_words)

        return find

    def _compare(
        self, live: ModelRecord, trained: TrainedModel, find: FindEvidence, golden: Sequence[GoldenQuery]
    ) -> tuple[Verdicts, dict[str, Any]]:
        """Both models on the held-back questions and, through the whole product, on the golden set."""
        with self._stage("Searching evidence for measuring") as progress:
            shown = show(trained.held_back, find, progress)
        before = self._services.load_model(None if live.is_shipped else self._folder(live))
        after = self._services.load_model(trained.folder) if trained.folder else trained.adapted
        assert after is not None  # a run without a folder has an adapted model
        try:
            choosing, served = (self._measure(before, after, shown, weights) for weights in (ALONE, AS_SERVED))
            verdicts = {
                "served": judge(live.model_id, served["live"].to_gate(), served["trained"].to_gate()),
                "choosing": judge(live.model_id, choosing["live"].to_gate(), choosing["trained"].to_gate(), _NO_RISE),
            }
            if golden:
                old, new = (self._answer(model, golden) for model in (before, after))
                verdicts["golden"] = judge(live.model_id, old, new, _NO_RISE)
        finally:
            release(before)
            release(after)
        figures = {
            "first_sentence": asdict(summarise(first_sentences(shown))),
            "best_possible": asdict(summarise(best_possible(shown))),
            "choosing": {key: asdict(value) for key, value in choosing.items()},
            "served": {key: asdict(value) for key, value in served.items()},
        }
        if "golden" in verdicts:
            gate = verdicts["golden"]
            figures["golden"] = {"live": asdict(gate.before), "trained": asdict(gate.after)}
        return Verdicts(verdicts), figures

    def _measure(
        self, before: LanguageModel, after: LanguageModel, shown: Sequence[Shown], weights: Weights
    ) -> dict[str, Any]:
        """Figures of ``live`` and ``trained``, and the ``gain`` in F1."""
        with self._stage("Measuring the live model") as progress:
            old = measure(before, shown, self._settings, weights, progress)
        with self._stage("Measuring the trained model") as progress:
            new = measure(after, shown, self._settings, weights, progress)
        return {"live": summarise(old), "trained": summarise(new), "gain": gain(new, old, shown)}

    def _answer(self, model: LanguageModel, golden: Sequence[GoldenQuery]) -> ModelFigures:
        with self._stage("Answering the golden set") as progress:
            return ModelFigures.of(evaluate(golden, self._services.make_agent(model), progress))

    def _publish(
        self, recipe: CompanyRecipe, trained: TrainedModel, verdicts: Verdicts, live: ModelRecord
    ) -> dict[str, Any]:
        """Into the registry in any case, for a later look; live only if the gate was passed and the recipe asks."""
        assert trained.folder is not None
        facts = {
            "base_model": live.model_id if not recipe.start else recipe.start,
            "recipe": recipe.name,
            "recipe_sha256": sha256_hex(recipe.model_dump_json()),
            "dataset_sha256": trained.dataset.sha256,
            "gate": verdicts.to_dict(),
        }
        record = self._services.publish_model(trained.folder, facts)
        promote = recipe.promote and not verdicts.reasons
        if promote:
            self._services.models.promote(record.model_id, expected_live=live.model_id)
        return {"model": record.model_id, "promoted": promote}
