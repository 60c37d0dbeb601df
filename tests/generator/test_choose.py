"""Learning to choose with a tiny real model: it learns, it resumes, it keeps to the clock."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

from generator.dataset import ExampleBuilder, Seed, SeedPassage
from generator.train.candidate_trees import Scores, choice_batch, choice_tree
from generator.train.choices import Choice, PackedChoices, Vocabulary, pack_choices
from generator.train.choose import ChooseRecipe, beside_evidence, choose, losses, planned_batches, validate
from generator.train.finetune import load_model
from generator.train.loop import RunMismatch, TrainingDiverged
from generator.train.pretrain import fresh_model
from generator.train.recipe import ModelShape, RecipeInvalid, Stage, TextRecipe, read_recipe
from generator.train.tokenizer import load_tokenizer, train_tokenizer

_STEPS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Choices that the wording alone settles: the right sentence begins with the word that is asked for."""
    folder = tmp_path_factory.mktemp("choose")
    things = ("cable", "shade", "bulb", "switch")
    told = tuple(f"{thing} is what you get." for thing in things)
    seeds = [Seed("s", f"{things[i % 4]}?", SeedPassage(f"d{i}", "", told), (i % 4,)) for i in range(60)]
    builder, rng = ExampleBuilder(seeds, refusal_share=0.0), random.Random(0)
    examples = [builder.build(seed, rng) for seed in seeds]
    tokenizer = train_tokenizer([e.prompt() for e in examples], 300)
    (folder / "choices").mkdir()
    for name in ("grounded", "validation"):
        pack_choices(examples, tokenizer, 256).save(folder / f"choices/{name}.npz")
    shape = ModelShape(layers=2, width=32, heads=2, context=256)
    fresh = TextRecipe(data=folder, run=folder, shape=shape, steps=1, stages=(Stage(until=1, shares={"prose": 1.0}),))
    fresh_model(fresh, tokenizer).save_pretrained(str(folder / "start"))
    tokenizer.save_pretrained(str(folder / "start"))
    return folder


def _recipe(data: Path, run: Path, **changes: object) -> ChooseRecipe:
    told: dict[str, object] = {
        "data": data,
        "run": run,
        "start": data / "start",
        "steps": _STEPS,
        "warmup": 2,
        "matrix_rate": 5e-3,
        "vector_rate": 5e-3,
        "batch_tokens": 1024,
        "validate_every": 100,
        "validation_examples": 16,
        "checkpoint_every": 6,
        "threads": 1,
        **changes,
    }
    return ChooseRecipe.model_validate(told)


def _loss(folder: Path, data: Path) -> float:
    rows = PackedChoices.load(data / "choices/validation.npz")
    vocabulary = Vocabulary.of(_tokenizer(data))
    return validate(load_model(folder, 0.0), [rows[i] for i in range(12)], vocabulary)["loss"]


def _tokenizer(data: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(data / "start")


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return choose(_recipe(data, tmp_path_factory.mktemp("run")))


def test_choices_become_likelier(data: Path, trained: Path) -> None:
    assert _loss(trained, data) < _loss(data / "start", data) - 0.1


def test_saved_model_is_an_ordinary_gpt2(trained: Path) -> None:
    assert GPT2LMHeadModel.from_pretrained(str(trained)).config.activation_function == "gelu_new"


def test_resumed_run_ends_with_the_same_weights(data: Path, trained: Path, tmp_path: Path) -> None:
    def kill(done: int, _: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose(_recipe(data, tmp_path), kill)
    assert list((tmp_path / "checkpoints").glob("step-*6"))
    resumed = choose(_recipe(data, tmp_path))
    first, second = (GPT2LMHeadModel.from_pretrained(str(folder)).state_dict() for folder in (trained, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resuming_on_other_data_is_refused(data: Path, trained: Path, tmp_path: Path) -> None:
    rows = PackedChoices.load(data / "choices/grounded.npz")
    (tmp_path / "choices").mkdir()
    for name in ("grounded", "validation"):
        PackedChoices.of([rows[i] for i in range(20)]).save(tmp_path / f"choices/{name}.npz")
    with pytest.raises(RunMismatch, match="other data"):
        choose(_recipe(tmp_path, trained.parent, start=data / "start"))


def test_run_ends_when_its_minutes_are_over(data: Path, tmp_path: Path) -> None:
    folder = choose(_recipe(data, tmp_path, steps=10**6, minutes=0.01))
    assert _loss(folder, data) < _loss(data / "start", data)


def test_batches_hold_no_more_than_their_tokens_and_every_example_once(data: Path, tmp_path: Path) -> None:
    rows = PackedChoices.load(data / "choices/grounded.npz")
    recipe = _recipe(data, tmp_path)
    seen: list[tuple[int, ...]] = []
    for batch in planned_batches(rows, Vocabulary.of(_tokenizer(data)), recipe):
        trees = batch.trees
        assert int((trees.branch < trees.ancestors.shape[1] - 1).sum(1).max()) * len(batch) <= recipe.batch_tokens
        seen += [tuple(row[of == 0].tolist()) for row, of in zip(trees.tokens, trees.branch, strict=True)]
        if len(seen) >= len(rows):
            break
    assert sorted(seen) == sorted(tuple(rows[i].prompt) for i in range(len(rows)))


def test_batches_made_by_other_processes_are_the_same(data: Path, tmp_path: Path) -> None:
    rows, vocabulary = PackedChoices.load(data / "choices/grounded.npz"), Vocabulary.of(_tokenizer(data))
    alone, beside = (planned_batches(rows, vocabulary, _recipe(data, tmp_path, workers=n)) for n in (0, 2))
    for one, other, _ in zip(alone, beside, range(5), strict=False):
        assert torch.equal(one.trees.tokens, other.trees.tokens)
        assert torch.equal(one.right, other.right)


def test_files_of_choices_are_seen_as_often_as_the_recipe_says(data: Path) -> None:
    rows = PackedChoices.load(data / "choices/grounded.npz")
    joined = PackedChoices.joined([rows, rows])
    assert len(joined) == 2 * len(rows)
    assert joined[len(rows) + 3] == rows[3] == joined[3]


def test_keys_of_writing_text_are_none_of_choosing(tmp_path: Path) -> None:
    path = tmp_path / "choose.toml"
    path.write_text('data = "d"\nrun = "r"\nstart = "s"\nsteps = 1\nchoice_weight = 2.0\n', encoding="utf-8")
    with pytest.raises(RecipeInvalid, match="unknown key choice_weight"):
        read_recipe(path, ChooseRecipe)


def test_loss_that_is_no_number_stops_the_run(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="diverged"):
        choose(_recipe(data, tmp_path, matrix_rate=1e30, vector_rate=1e30, warmup=1))
    assert not (tmp_path / "model").exists()
    assert np.isfinite(_loss(data / "start", data))


def test_choice_beside_the_evidence_is_what_composing_adds_up(data: Path, tmp_path: Path) -> None:
    row = PackedChoices.load(data / "choices/grounded.npz")[0]
    start, end, _ = row.sentences[0]
    # Three sentences of two snippets; the second snippet answers, and the evidence holds the first for likelier.
    weighed = Choice(row.prompt, [(start, end, 1), (start, end, 1), (start, end, 2)], [2], [2.0, 0.5])
    unweighed, declined = replace(weighed, log_odds=()), replace(weighed, said=[])
    vocabulary = Vocabulary.of(_tokenizer(data))
    batch = choice_batch([choice_tree(one, vocabulary) for one in (unweighed, weighed, declined)])
    nats = torch.full((len(batch.sizes), int(batch.sizes.max())), -40.0, requires_grad=True)
    nats = nats.index_put((batch.is_weighed.nonzero()[:, 0], torch.tensor([2])), torch.tensor([-10.0]))
    scores = Scores(nats, torch.zeros(1))
    values, right = beside_evidence(scores, batch, model_weight=0.1)
    assert values.tolist() == [pytest.approx([0.1 * (-40 + math.log(2)) + 2.0, 0.1 * -10 + 0.5])]
    assert right.tolist() == [1]
    assert losses(scores, batch, _recipe(data, tmp_path))["beside"] > 0
    none = choice_batch([choice_tree(one, vocabulary) for one in (unweighed, declined)])
    assert "beside" not in losses(Scores(nats[: len(none.sizes)], torch.zeros(1)), none, _recipe(data, tmp_path))


def test_snippets_that_are_not_there_leave_the_gradient_a_number(data: Path) -> None:
    row = PackedChoices.load(data / "choices/grounded.npz")[0]
    start, end, _ = row.sentences[0]
    short = Choice(row.prompt, [(start, end, 1)], [0], [1.0])
    long = Choice(row.prompt, [(start, end, 1), (start, end, 3)], [1], [1.0, 0.0, -1.0])
    batch = choice_batch([choice_tree(one, Vocabulary.of(_tokenizer(data))) for one in (short, long)])
    nats = torch.zeros(len(batch.sizes), int(batch.sizes.max()), requires_grad=True)
    values, right = beside_evidence(Scores(nats, torch.zeros(1)), batch, model_weight=0.1)
    torch.nn.functional.cross_entropy(values, right).backward()
    assert nats.grad is not None
    assert nats.grad.isfinite().all()
    assert nats.grad.abs().sum() > 0
