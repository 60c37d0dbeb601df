"""A company's fine-tuning from passages to an exported model, and everything that can be wrong with its input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from domain.documents import StoredPassage
from domain.errors import AlreadyRunning, InvalidInput, ModelMissing, ModelUnsuitable
from domain.text import sentences
from generator.composition import Weights
from generator.engines.model_folder import inspect_model_folder
from generator.evaluation import GoldenQuery, GoldEvidence
from generator.settings import GeneratorSettings
from generator.train import company_examples
from generator.train.company import Knowledge, TooFewQuestions, TrainedModel, train_on
from generator.train.company_evaluation import best_possible, first_sentences, gain, measure, summarise
from generator.train.company_examples import show
from generator.train.recipe import CompanyRecipe, RecipeInvalid, load_company_recipe
from generator.train.tokenizer import MAX_VOCABULARY, load_tokenizer, train_tokenizer
from tests.generator.small_models import OverlapFinder, no_progress, shop_passages, write_model

_ROOT = Path(__file__).parents[2]
_TRAINING = {"steps": 4, "warmup": 1, "batch_tokens": 2048, "precision": "fp32", "threads": 1, "validate_every": 2}


def _recipe(**changes: object) -> CompanyRecipe:
    return CompanyRecipe.model_validate({"name": "shop", "examples": 40, "training": _TRAINING, **changes})


def _train(start: Path, runs: Path, passages: Sequence[StoredPassage] | None = None, **changes: object) -> TrainedModel:
    found = shop_passages() if passages is None else passages
    return train_on(Knowledge(found), _recipe(**changes), start, runs, OverlapFinder(found), no_progress)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def trained(start: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return _train(start, tmp_path_factory.mktemp("runs"))


def test_run_leaves_a_grounded_model_and_the_dataset_with_its_hash(trained: TrainedModel, start: Path) -> None:
    assert trained.folder is not None
    assert inspect_model_folder(trained.folder).is_grounded
    facts = json.loads((trained.run / "data" / "dataset.json").read_text(encoding="utf-8"))
    assert len(facts["sha256"]) == 64
    assert facts["examples"] == {"training": 40, "validation": facts["examples"]["validation"]}
    assert any((trained.run / "training" / "curve").iterdir())
    before = load_file(start / "model.safetensors")
    after = load_file(trained.folder / "model.safetensors")
    assert any(not torch.equal(before[name].bfloat16(), after[name]) for name in after)


def test_no_held_back_entry_or_document_is_asked_in_training(trained: TrainedModel) -> None:
    held_back = {group for question in trained.held_back for group in question.groups}
    rows = [json.loads(line) for line in (trained.run / "data" / "training.jsonl").read_text("utf-8").splitlines()]
    assert held_back
    assert rows
    assert not held_back & {row["document"] for row in rows}


def test_wordings_held_back_leave_what_they_are_about_in_the_training(start: Path, tmp_path: Path) -> None:
    passages = shop_passages()
    entries = [stored for stored in passages if stored.passage.question]
    golds = [(GoldEvidence(one.source, sentences(one.passage.text)[0]),) for one in entries]
    written = [GoldenQuery(f"w{i}", f"Is it so, number {i}?", (), None, gold, (), True) for i, gold in enumerate(golds)]
    written.append(replace(written[0], id="same", question=str(entries[0].passage.question).upper()))
    recipe = _recipe(hold_back="wordings", questions=tmp_path / "written.jsonl")
    trained = train_on(Knowledge(passages, (), written), recipe, start, tmp_path, OverlapFinder(passages), no_progress)
    rows = [json.loads(line) for line in (trained.run / "data" / "training.jsonl").read_text("utf-8").splitlines()]
    asked = {" ".join(row["question"].lower().split()) for row in rows}
    assert {question.question for question in trained.held_back} == {query.question for query in written}
    assert any(row["document"] in {group for q in trained.held_back for group in q.groups} for row in rows)
    assert not {query.question.lower() for query in written} & asked


def test_same_command_again_trains_nothing_and_other_knowledge_is_another_run(
    trained: TrainedModel, start: Path
) -> None:
    assert trained.folder is not None
    written = (trained.folder / "model.safetensors").stat().st_mtime_ns
    again = _train(start, trained.run.parent)
    assert again.folder == trained.folder
    assert (trained.folder / "model.safetensors").stat().st_mtime_ns == written
    fewer = _train(start, trained.run.parent, shop_passages()[:-1])
    assert fewer.run != trained.run


def test_evidence_shown_otherwise_is_another_run(trained: TrainedModel, start: Path) -> None:
    found = shop_passages()
    knowledge = Knowledge(found, shown_by="another reader")
    other = train_on(knowledge, _recipe(), start, trained.run.parent, OverlapFinder(found), no_progress)
    assert other.run != trained.run


def test_run_killed_after_its_dataset_goes_on_without_searching_again(start: Path, tmp_path: Path) -> None:
    passages = shop_passages()

    class Killed(BaseException):
        pass

    def stage(label: str) -> object:
        if label == "Training":
            raise Killed
        return no_progress(label)

    with pytest.raises(Killed):
        train_on(Knowledge(passages), _recipe(), start, tmp_path, OverlapFinder(passages), stage)  # type: ignore[arg-type]  # no retriever
    find = OverlapFinder(passages)
    assert train_on(Knowledge(passages), _recipe(), start, tmp_path, find, no_progress).folder is not None
    assert find.asked == []


def test_figures_compare_models_on_the_same_evidence(trained: TrainedModel, start: Path) -> None:
    prefix = _train(start, trained.run.parent, method={"kind": "prefix", "tokens": 2}, promote=False)
    assert prefix.folder is None
    assert prefix.adapted is not None
    shown = show(prefix.held_back, OverlapFinder(shop_passages()))[:12]
    scores = measure(prefix.adapted, shown, GeneratorSettings(), Weights(evidence=0.0, model=1.0))
    figures, best = summarise(scores), summarise(best_possible(shown))
    assert figures.support == 1.0  # what is composed is a copy
    assert figures.f1 <= best.f1
    assert summarise(first_sentences(shown)).f1 <= best.f1
    assert gain(scores, scores, shown).difference.mean == 0.0
    assert list(prefix.adapted.generate("Question: What?\nAnswer:", 3))


def test_start_of_another_architecture_is_refused(start: Path, tmp_path: Path) -> None:
    other = shutil.copytree(start, tmp_path / "bert")
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps(config | {"model_type": "bert"}), encoding="utf-8")
    with pytest.raises(ModelUnsuitable, match="'bert' model"):
        _train(other, tmp_path)


def test_pickled_weights_are_refused_without_being_loaded(start: Path, tmp_path: Path) -> None:
    pickled = shutil.copytree(start, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ModelUnsuitable, match="pickle"):
        _train(pickled, tmp_path)


def test_tokenizer_of_another_model_is_noticed_by_what_it_reads(start: Path, tmp_path: Path) -> None:
    """Equal sizes tell nothing, so the model is made sure of itself and given other tokens."""
    foreign = shutil.copytree(start, tmp_path / "foreign")
    weights = load_file(foreign / "model.safetensors")
    weights["transformer.ln_f.weight"] *= 40
    save_file(weights, foreign / "model.safetensors", {"format": "pt"})
    train_tokenizer(["zzzz yyyy xxxx wwww"], 320).save_pretrained(str(foreign))
    with pytest.raises(ModelUnsuitable, match="Its tokenizer is not the one"):
        _train(foreign, tmp_path)


def test_missing_weights_are_told(start: Path, tmp_path: Path) -> None:
    empty = shutil.copytree(start, tmp_path / "empty")
    (empty / "model.safetensors").unlink()
    with pytest.raises(ModelMissing, match=r"no \*.safetensors"):
        _train(empty, tmp_path)


def test_tokenizer_with_more_tokens_than_can_be_packed_is_refused(start: Path, tmp_path: Path) -> None:
    vast = shutil.copytree(start, tmp_path / "vast")
    told = json.loads((vast / "tokenizer.json").read_text("utf-8"))
    model = told["model"]
    model["vocab"] |= {f"word{i}": len(model["vocab"]) + i for i in range(MAX_VOCABULARY)}
    (vast / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ModelUnsuitable, match="packs at most 65,536"):
        load_tokenizer(vast)


def test_empty_knowledge_base_says_how_to_fill_it(start: Path, tmp_path: Path) -> None:
    with pytest.raises(TooFewQuestions, match="'shop' holds no passages") as caught:
        _train(start, tmp_path, [], collection="shop")
    assert "answerdesk ingest" in caught.value.remedy


def test_too_few_questions_are_counted(start: Path, tmp_path: Path) -> None:
    with pytest.raises(TooFewQuestions, match="questions are left for"):
        _train(start, tmp_path, shop_passages()[:5])


def test_prompts_longer_than_the_context_are_counted(tmp_path: Path) -> None:
    short = write_model(tmp_path / "short", context=96)
    with pytest.raises(InvalidInput, match="longer than the model's context of 96 tokens"):
        _train(short, tmp_path)


def test_examples_that_are_no_choice_are_counted_and_leave_no_dataset(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company_examples, "as_choice", lambda example, tokenizer: None)
    with pytest.raises(InvalidInput, match=r"no choice among what was found.*none is left for training and validation"):
        _train(start, tmp_path)
    assert not list(tmp_path.rglob("dataset.json"))


def test_start_with_weights_that_are_no_numbers_is_refused(start: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(start, tmp_path / "damaged")
    weights = load_file(damaged / "model.safetensors")
    save_file({name: value * float("nan") for name, value in weights.items()}, damaged / "model.safetensors")
    with pytest.raises(ModelUnsuitable, match="gives no numbers"):
        _train(damaged, tmp_path / "runs")


def test_start_beside_the_recipe_is_found_from_anywhere(start: Path, tmp_path: Path) -> None:
    shutil.copytree(start, tmp_path / "my-gpt2")
    (tmp_path / "recipe.toml").write_text('name = "shop"\nstart = "my-gpt2"\n', encoding="utf-8")
    assert load_company_recipe(tmp_path / "recipe.toml").start == str(tmp_path / "my-gpt2")


def test_second_process_on_one_run_is_turned_away(start: Path, tmp_path: Path) -> None:
    passages = shop_passages()

    def find(question: str) -> object:
        with pytest.raises(AlreadyRunning):
            _train(start, tmp_path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on(Knowledge(passages), _recipe(), start, tmp_path, find, no_progress)  # type: ignore[arg-type]  # no retriever


@pytest.mark.parametrize(
    ("text", "detail", "remedy"),
    [
        ('name = "shop"\nstepps = 3', "unknown key stepps", "Did you mean steps?"),
        ('name = "shop"\n[training]\nrates = 3', "unknown key training.rates", "Did you mean rate?"),
        ("collection = 'shop'", "lacks name", "docs/finetune.md"),
        ("name = shop", "is not TOML", "examples/finetune-shop.toml"),
        ('name = "shop"\n[training]\nsteps = 0', "training.steps: Input should be greater", "docs/finetune.md"),
        ('name = "shop"\n[method]\nkind = "prefix"', "cannot be merged into the weights", "docs/finetune.md"),
        ('name = "shop"\n[method]\nkind = "dora"', "method", "docs/finetune.md"),
        ('name = "shop"\n[method]\nkind = "adalora"\n[search]\nsteps = 2', "adalora needs 3 steps", "docs/finetune.md"),
    ],
)
def test_recipe_mistakes_are_named(text: str, detail: str, remedy: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeInvalid) as caught:
        load_company_recipe(path)
    assert detail in caught.value.detail
    assert remedy in caught.value.remedy


def test_shipped_recipe_is_valid_and_its_questions_are_there() -> None:
    recipe = load_company_recipe(_ROOT / "examples" / "finetune-shop.toml")
    assert recipe.questions is not None
    assert recipe.questions.is_file()
    assert recipe.golden is not None
    assert recipe.golden.is_file()
