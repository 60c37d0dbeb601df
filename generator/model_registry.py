"""Publishing a trained model, and putting it in the place of the live one."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.errors import Conflict, GateFailed, ModelNotFound, ModelUnsuitable
from domain.ids import new_id
from domain.models import SHIPPED_MODEL_ID, ModelRecord
from domain.protocols import LanguageModel
from generator.language_model import GROUNDED_FACTS, explain_ungrounded, inspect_model_folder
from storage.artifacts import MANIFEST, ArtifactStore
from storage.models import ModelStore

logger = logging.getLogger(__name__)

ID_PREFIX = "model-"
KEPT_MODELS = 3  # the newest ones, beside the live one, the one before it and the shipped one
# Weights, tokenizer, configuration, licence. Pickles (*.bin, *.pt) can run code and stay behind.
_PUBLISHED = frozenset((".safetensors", ".json", ".txt", ".md", ".toml"))
# A folder without a record is what a killed publication left, or one that is about to be registered.
_ORPHAN_SECONDS = 3600.0
_ID = re.compile(ID_PREFIX + r"([0-9a-f]{8})-([0-9a-f]{4})-7.*")  # a UUIDv7 begins with 48 bits of milliseconds

LoadModel = Callable[[Path | None], LanguageModel]


class ModelRegistry:
    """The life of a model after its training; nothing here touches the live one before a promotion.

    Args:
        load: runs the model of a folder; None stands for the one that the settings name, the shipped one by default.
        clock: seconds since the epoch.
    """

    def __init__(
        self, models: ModelStore, artifacts: ArtifactStore, load: LoadModel, clock: Callable[[], float] = time.time
    ) -> None:
        self._models = models
        self._artifacts = artifacts
        self._load = load
        self._clock = clock

    def publish(self, folder: Path, facts: Mapping[str, Any]) -> ModelRecord:
        """Copy a trained folder into the registry, under an id that answers will name. It is not live by that.

        Args:
            folder: as ``save_pretrained`` writes it, with ``answerdesk.json`` saying ``"grounded": true``.
            facts: JSON, kept in the artifact's manifest. Of it the registry lists ``base_model``, ``recipe`` (a name),
                ``recipe_sha256`` and ``gate`` (``GateVerdict.to_dict()``); all may be absent.

        Raises:
            ModelMissing, ModelUnsuitable: see ``inspect_model_folder``; or it was never fine-tuned here.
            StorageFull: there is no room; what was copied is removed.
        """
        inspected = inspect_model_folder(folder)
        if not inspected.is_grounded:
            raise ModelUnsuitable(explain_ungrounded(inspected.name), "Publish what `answerdesk finetune` trained.")
        model_id = ID_PREFIX + new_id()
        with self._artifacts.stage(model_id) as staging:
            _copy(folder, staging.path)
            _rename(staging.path, model_id)
            inspect_model_folder(staging.path)  # else a folder could pass that changed while it was copied
            staging.facts = dict(facts)
        record = ModelRecord(
            model_id=model_id,
            created_at=datetime.now(UTC),
            manifest_sha256=staging.manifest_sha256,
            base_model=_text(facts, "base_model"),
            recipe=_text(facts, "recipe"),
            recipe_sha256=_text(facts, "recipe_sha256"),
            gate=dict(facts.get("gate") or {}),
            is_live=False,
            promoted_at=None,
        )
        self._models.register(record)
        logger.info("published a model", extra={"model": model_id, "recipe": record.recipe})
        self._prune()
        return record

    def list_models(self) -> list[ModelRecord]:
        """Newest first; the shipped one is among them."""
        return self._models.list_models()

    def live(self) -> ModelRecord:
        return self._models.live()

    def folder(self, record: ModelRecord) -> Path | None:
        """Hash every file of the model, then give its folder; None for the shipped one, whose place the settings tell.

        Raises:
            ArtifactCorrupt: names the first file that is not what was published.
        """
        return None if record.is_shipped else self._artifacts.open(record.model_id, record.manifest_sha256).path

    def load(self, record: ModelRecord) -> LanguageModel:
        """Verify the model's files, run it, and let a published one judge something.

        Raises:
            ArtifactCorrupt: see ``folder``.
            ModelMissing, ModelUnsuitable: it does not load.
        """
        path = self.folder(record)
        try:
            model = self._load(path)
            if path is not None:
                _try_out(model)
        except (OSError, RuntimeError, ValueError, MemoryError) as error:  # what engines raise for weights they refuse
            raise ModelUnsuitable(
                f"Model {record.model_id} does not run: {error}.", "Train it again, or go on with the live one."
            ) from error
        return model

    def candidates(self) -> list[ModelRecord]:
        """Those that may answer, in order: the live one, the one before it, the shipped one."""
        previous = self._models.previous()
        wanted = [self._models.live(), *([previous] if previous else []), self._models.get(SHIPPED_MODEL_ID)]
        return list({record.model_id: record for record in wanted}.values())

    def promote(self, model_id: str, *, force: bool = False, expected_live: str | None = None) -> ModelRecord:
        """Make a published model the live one, once its files are verified and it ran.

        Args:
            force: also one that failed its gate, or was never measured.
            expected_live: the model that the gate compared with; None takes the one that is live now.

        Raises:
            ModelNotFound, ArtifactCorrupt, ModelMissing, ModelUnsuitable
            GateFailed: with the gate's reasons.
            PromotionConflict: another model was promoted meanwhile.
        """
        record = self._models.get(model_id)
        if not force and not record.passed_gate:
            raise GateFailed(
                f"Model {model_id} {explain_gate(record)}",
                "The live model stays. `answerdesk models promote --force` promotes it all the same.",
            )
        return self._go_live(record, expected_live or self._models.live().model_id)

    def rollback(self) -> ModelRecord:
        """Promote the model that was live before; the shipped one if that was forgotten. No gate is asked.

        Raises:
            ModelNotFound: there is none; else as ``promote``.
        """
        live, previous = self._models.live(), self._models.previous()
        if previous is None and live.is_shipped:
            raise ModelNotFound(
                "No model was live before this one.", "Promote one with `answerdesk models promote ID`."
            )
        return self._go_live(previous or self._models.get(SHIPPED_MODEL_ID), live.model_id)

    def _go_live(self, record: ModelRecord, expected_live: str) -> ModelRecord:
        release(self.load(record))
        promoted = self._models.promote(record.model_id, expected_live=expected_live)
        logger.info("promoted a model", extra={"model": record.model_id, "before": expected_live})
        self._prune()
        return promoted

    def _prune(self) -> None:
        """Keep the newest models and those that may answer; drop old folders that no record names."""
        records = self._models.list_models()
        published = [record.model_id for record in records if not record.is_shipped]
        kept = {*published[:KEPT_MODELS], *(record.model_id for record in self.candidates())}
        for model_id in published:
            if model_id not in kept:
                with suppress(Conflict):  # somebody promoted it just now
                    self._models.forget(model_id)
                    self._artifacts.remove(model_id)
        for artifact_id in self._artifacts.list_ids():
            if artifact_id not in published and self._clock() - _drawn_at(artifact_id) > _ORPHAN_SECONDS:
                self._artifacts.remove(artifact_id)
        self._artifacts.sweep()


def explain_gate(record: ModelRecord) -> str:
    """Why its gate does not let a model pass, to follow the model's name."""
    reasons = record.gate.get("reasons")
    if not reasons:
        return "was not measured against the live model."
    return f"did not pass its gate: {' '.join(str(reason) for reason in reasons)}"


def release(model: LanguageModel | None) -> None:
    """Give back what an engine holds beyond its object (threads, device memory); not every engine holds any."""
    close = getattr(model, "close", None)
    if close is not None:
        close()


def _try_out(model: LanguageModel) -> None:
    """Let it judge two words, as it will be asked to; one that cannot is closed."""
    runs = False
    try:
        model.score("Answer:", [" Yes.", " No."])
        runs = True
    finally:
        if not runs:
            release(model)


def _copy(folder: Path, target: Path) -> None:
    """What a model consists of, folders within it too; nothing hidden. A link is followed and its content copied."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if file.is_file() and file.suffix in _PUBLISHED and not hidden and name.as_posix() != MANIFEST:
            (target / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(file, target / name)


def _rename(folder: Path, model_id: str) -> None:
    """The engine takes its name from this file, and answers name the engine."""
    file = folder / GROUNDED_FACTS
    facts = json.loads(file.read_text(encoding="utf-8")) | {"name": model_id}
    file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _text(facts: Mapping[str, Any], name: str) -> str | None:
    value = facts.get(name)
    return None if value is None else str(value)


def _drawn_at(artifact_id: str) -> float:
    """When the id was drawn, which its UUIDv7 tells, in seconds since the epoch; 0 for an id of another shape."""
    match = _ID.fullmatch(artifact_id)
    return int(match[1] + match[2], 16) / 1000 if match else 0.0
