"""Fine-tuning a GPT-2 on a company's own knowledge base, from its passages to an exported model folder.

Each stage leaves something whole in the run folder, or nothing: the dataset, the trained model, the exported model. A
run that was killed goes on with the stage that it was in when the same command is given again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch.nn import functional
from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

from domain.documents import StoredPassage
from domain.errors import AlreadyRunning, InvalidInput, ModelUnsuitable
from domain.protocols import Facts, ProgressListener
from domain.ratings import RatedAnswer
from generator.dataset import GroundedExample
from generator.engines.model_folder import GROUNDED_FACTS, inspect_model_folder
from generator.evaluation import GoldenQuery
from generator.train.adapters import FullWeights
from generator.train.checkpoint import room_on_disk
from generator.train.choices import PackedChoices, Vocabulary
from generator.train.choose import ChoiceObjective, ChooseRecipe
from generator.train.company_examples import (
    DatasetFacts,
    FindEvidence,
    make_examples,
    read_facts,
    show,
    write_dataset,
)
from generator.train.company_questions import (
    CompanyQuestion,
    Side,
    ask_passages,
    ask_rated,
    ask_written,
    split,
    without_disliked,
    without_wordings,
)
from generator.train.export import export
from generator.train.finetune import load_model
from generator.train.loop import fit, save_model
from generator.train.rate_search import search_rate
from generator.train.recipe import CompanyRecipe
from generator.train.scoring import AdaptedModel
from generator.train.tokenizer import load_tokenizer

_VALIDATION_SHARE = 0.12
_MIN_TRAINING_QUESTIONS = 20
_MIN_HELD_BACK = 5
_MAX_VALIDATION_EXAMPLES = 300
_READ = 4  # passages
_WORSE_THAN_GUESSING = 1.0  # nats a token above a uniform guess

StageProgress = Callable[[str], AbstractContextManager[ProgressListener]]


class TooFewQuestions(InvalidInput):
    title = "Too few questions"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the company has: live passages, rated answers, and its own questions that only measure.

    ``shown_by`` names all else that decides which evidence is found and shown: embedder, reader, settings.
    """

    passages: Sequence[StoredPassage]
    rated: Sequence[RatedAnswer] = ()
    written: Sequence[GoldenQuery] = ()
    shown_by: str = ""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """``folder`` is what can be served and published; None for a prefix, which only ``adapted`` runs."""

    run: Path
    folder: Path | None
    adapted: AdaptedModel | None
    dataset: DatasetFacts
    held_back: tuple[CompanyQuestion, ...]
    rate: float


def train_on(
    knowledge: Knowledge, recipe: CompanyRecipe, start: Path, runs: Path, find: FindEvidence, stage: StageProgress
) -> TrainedModel:
    """Build the dataset, train, export. ``start`` is inspected first; nothing but the run folder is written.

    Raises:
        ModelMissing, ModelUnsuitable: the start is no GPT-2 folder, pickled, or has another's tokenizer.
        TooFewQuestions: also for an empty knowledge base.
        InvalidInput: the examples do not fit into the model's context.
        TrainingDiverged, StorageFull, AlreadyRunning
    """
    inspect_model_folder(start)
    run = runs / f"{recipe.name}-{_fingerprint(knowledge, recipe, start)}"
    with room_on_disk(run), _alone(run):
        tokenizer, model = load_tokenizer(start), load_model(start, recipe.training.dropout)
        sides = _questions(knowledge, recipe)
        check_tokenizer(model, tokenizer, [stored.passage.text for stored in knowledge.passages[:_READ]], start)
        facts = read_facts(run / "data") or _build(sides, recipe, tokenizer, model, run / "data", find, stage)
        training = training_recipe(recipe, start, run)
        objective = _objective(training, tokenizer)
        if recipe.search:
            with stage("Trying learning rates") as progress:
                rate = search_rate(training, recipe.search, lambda: _load(start, recipe), objective, progress)
            training = training.model_copy(update={"matrix_rate": rate, "vector_rate": rate})
        done = TrainedModel(run, run / "model", None, facts, tuple(sides[Side.HELD_BACK]), training.vector_rate)
        if (run / "model" / GROUNDED_FACTS).exists():
            return done
        with stage("Training") as progress:
            weights = fit(training, model, objective, progress)
        if recipe.method.kind == "prefix":
            return replace(done, folder=None, adapted=AdaptedModel(weights, tokenizer, run.name))
        _export(weights, tokenizer, run, {"dataset_sha256": facts.sha256, "method": recipe.method.kind})
        return done


def training_recipe(recipe: CompanyRecipe, start: Path, run: Path) -> ChooseRecipe:
    """The loop's recipe."""
    told = recipe.training
    return ChooseRecipe(
        data=run / "data",
        run=run / "training",
        start=start,
        method=recipe.method,
        seed=recipe.seed,
        matrix_rate=told.rate,
        vector_rate=told.rate,
        warmup=min(told.warmup, told.steps),
        validation_examples=_MAX_VALIDATION_EXAMPLES,
        **told.model_dump(exclude={"rate", "warmup"}),
    )


@torch.no_grad()
def check_tokenizer(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], start: Path
) -> None:
    """A model that reads plain text worse than blind guessing was trained with another tokenizer.

    Raises:
        ModelUnsuitable
    """
    model.eval()
    losses = []
    for text in texts:
        tokens = torch.tensor([tokenizer.encode(text)[: int(model.config.n_positions)]], device=model.device)
        if tokens.shape[1] > 1:
            losses.append(float(functional.cross_entropy(model(input_ids=tokens).logits[0, :-1], tokens[0, 1:])))
    model.train()
    found, guessing = sum(losses) / max(1, len(losses)), math.log(model.config.vocab_size)
    if not math.isfinite(found):
        raise ModelUnsuitable(
            f"{start.name} gives no numbers for your documents: its weights are damaged, or their training diverged.",
            "Copy the model again, or start from an earlier one.",
        )
    if found > guessing + _WORSE_THAN_GUESSING:
        raise ModelUnsuitable(
            f"{start.name} reads your documents with a loss of {found:.1f} nats a token; blind guessing has "
            f"{guessing:.1f}. Its tokenizer is not the one that it was trained with.",
            "Put the model's own tokenizer.json beside its weights.",
        )


def _load(start: Path, recipe: CompanyRecipe) -> GPT2LMHeadModel:
    return load_model(start, recipe.training.dropout)


def _objective(recipe: ChooseRecipe, tokenizer: PreTrainedTokenizerBase) -> ChoiceObjective:
    rows, validation = (PackedChoices.load(recipe.data / f"{s.value}.npz") for s in (Side.TRAINING, Side.VALIDATION))
    return ChoiceObjective(recipe, rows, validation, Vocabulary.of(tokenizer))


def _export(weights: FullWeights, tokenizer: PreTrainedTokenizerBase, run: Path, provenance: Facts) -> None:
    """Into ``run/model``, and only then away with what it was made from."""
    merged = save_model(run / "training" / "model", weights.merged(), tokenizer)
    export(merged, run / "model", run.name, provenance)
    for spent in (merged, run / "training" / "checkpoints", run / "training" / "best"):
        shutil.rmtree(spent, ignore_errors=True)


def _build(
    sides: dict[Side, list[CompanyQuestion]],
    recipe: CompanyRecipe,
    tokenizer: PreTrainedTokenizerBase,
    model: GPT2LMHeadModel,
    folder: Path,
    find: FindEvidence,
    stage: StageProgress,
) -> DatasetFacts:
    rng = random.Random(recipe.seed)  # noqa: S311 - repeatable, not secret
    wanted = {
        Side.TRAINING: recipe.examples,
        Side.VALIDATION: min(_MAX_VALIDATION_EXAMPLES, 2 * len(sides[Side.VALIDATION])),
    }
    examples: dict[Side, list[GroundedExample]] = {}
    for side, n in wanted.items():
        with stage(f"Searching evidence for {side.value}") as progress:
            shown = show(sides[side], find, progress)
        examples[side] = make_examples(shown, n, recipe.refusal_share, rng)
    context = int(model.config.n_positions)
    return write_dataset(folder, examples, sides, tokenizer, context)


def _questions(knowledge: Knowledge, recipe: CompanyRecipe) -> dict[Side, list[CompanyQuestion]]:
    """Raises TooFewQuestions."""
    if not knowledge.passages:
        where = f"Collection {recipe.collection!r}" if recipe.collection else "The knowledge base"
        raise TooFewQuestions(f"{where} holds no passages.", "`answerdesk ingest PATH... --wait` fills it.")
    rng = random.Random(recipe.seed)  # noqa: S311 - repeatable, not secret
    written = ask_written(knowledge.written, knowledge.passages, "written")
    made = without_disliked(ask_passages(knowledge.passages, rng), knowledge.rated)
    made += ask_rated(knowledge.rated, knowledge.passages)
    if recipe.hold_back == "wordings":
        made = without_wordings(made, written)
        sides = split(made, frozenset(), 0.0, _VALIDATION_SHARE)
    else:
        measured = frozenset(group for question in written for group in question.groups)
        sides = split(made, measured, recipe.held_back_share, _VALIDATION_SHARE)
    if written:
        sides[Side.HELD_BACK] = written
    least = {Side.TRAINING: _MIN_TRAINING_QUESTIONS, Side.VALIDATION: 1, Side.HELD_BACK: _MIN_HELD_BACK}
    for side, n in least.items():
        if len(sides[side]) < n:
            raise TooFewQuestions(
                f"Only {len(sides[side])} questions are left for {side.value.replace('_', ' ')}, of "
                f"{sum(map(len, sides.values()))} in all; {n} are needed.",
                "Add FAQ entries or documents, or hold fewer of them back for measuring.",
            )
    return sides


def _fingerprint(knowledge: Knowledge, recipe: CompanyRecipe, start: Path) -> str:
    """What the run depends on: change any of it and it is another run, in a folder of its own."""
    digest = hashlib.sha256(recipe.model_dump_json(exclude={"promote", "questions", "golden"}).encode())
    digest.update(knowledge.shown_by.encode())
    for file in [*sorted(start.glob("*.safetensors")), start / "tokenizer.json", start / "config.json"]:
        with file.open("rb") as weights:
            digest.update(hashlib.file_digest(weights, "sha256").digest())
    for stored in knowledge.passages:
        digest.update(f"{stored.passage.passage_id} {stored.passage.search_hash} {stored.title}\n".encode())
    for one in knowledge.rated:
        digest.update(f"{one.answer.answer_id} {one.helped}\n".encode())
    for query in knowledge.written:
        digest.update(json.dumps(asdict(query), sort_keys=True).encode())
    return digest.hexdigest()[:12]


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """One process a run folder; the system lets go of the lock when its holder dies, however it dies."""
    run.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise AlreadyRunning(f"{run.name} is being trained.", "Wait for it to end.", run.name) from error
    finally:
        os.close(descriptor)
