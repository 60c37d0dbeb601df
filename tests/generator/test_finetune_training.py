"""The training loop on tiny real models: every method, early stopping, and what a kill or a full disk leaves behind."""

from __future__ import annotations

import math
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel

from domain.errors import StorageFull
from domain.protocols import ProgressListener
from generator.train.adapters import AdaLoraWeights, FullWeights, trainable
from generator.train.build import pack_examples
from generator.train.checkpoint import load_newest_checkpoint, save_checkpoint
from generator.train.company_examples import make_examples, show
from generator.train.company_questions import ask_passages
from generator.train.export import export
from generator.train.finetune import finetune, load_model
from generator.train.loop import TrainingDiverged, fit, save_model
from generator.train.packed import load_packed, save_packed
from generator.train.rate_search import search_rate
from generator.train.recipe import RateSearch, TextRecipe
from generator.train.text_objective import TextObjective
from generator.train.tokenizer import load_tokenizer
from tests.generator.small_models import OverlapFinder, shop_passages, write_model

_ROOT = Path(__file__).parents[2]
_LORA = {"kind": "lora", "rank": 4}
_ADALORA = {"kind": "adalora", "first_rank": 6, "rank": 2}
_PREFIX = {"kind": "prefix", "tokens": 4}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("start") / "tiny")


@pytest.fixture(scope="module")
def data(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    passages, rng, tokenizer = shop_passages(), random.Random(0), load_tokenizer(start)
    shown = show(ask_passages(passages, rng)[:60], OverlapFinder(passages))
    for name, n in (("grounded", 60), ("validation", 12)):
        save_packed(folder / f"{name}.npz", pack_examples(make_examples(shown, n, 0.1, rng), tokenizer, 512))
    tokenizer.save_pretrained(str(folder / "tokenizer"))
    return folder


def _recipe(data: Path, start: Path, run: Path, **changes: object) -> TextRecipe:
    told: dict[str, object] = {
        "data": data,
        "start": start,
        "run": run,
        "steps": 12,
        "warmup": 2,
        "matrix_rate": 3e-3,
        "vector_rate": 3e-3,
        "batch_tokens": 512,
        "accumulate": 1,
        "lengths": (256, 512),
        "stages": ({"until": 12, "shares": {"answers": 1.0}},),
        "dropout": 0.1,
        "checkpoint_every": 4,
        "validate_every": 4,
        "validation_batches": 2,
        "precision": "fp32",
        "threads": 1,
        **changes,
    }
    return TextRecipe.model_validate(told)


def _objective(recipe: TextRecipe) -> TextObjective:
    packed = {name: load_packed(recipe.data / f"{name}.npz") for name in ("grounded", "validation")}
    return TextObjective(recipe, packed, 0)


def _fit(recipe: TextRecipe, progress: ProgressListener | None = None) -> FullWeights:
    assert recipe.start is not None
    return fit(recipe, load_model(recipe.start, 0.0), _objective(recipe), progress)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in GPT2LMHeadModel.from_pretrained(str(folder)).state_dict().items()}


def _same(one: Path, other: Path) -> bool:
    a, b = _weights(one), _weights(other)
    return all(torch.equal(a[name], b[name]) for name in a)


class _Killed(BaseException):
    pass


def _stop_at(step: int) -> object:
    def progress(done: int, total: int) -> None:
        if done == step:
            raise _Killed

    return progress


@pytest.mark.parametrize("method", [{"kind": "full"}, _LORA, _ADALORA], ids=lambda m: m["kind"])
def test_stopped_run_of_any_method_ends_with_the_weights_of_one_that_was_not(
    method: dict[str, object], data: Path, start: Path, tmp_path: Path
) -> None:
    changes = {"method": method, "patience": 3}
    whole = finetune(_recipe(data, start, tmp_path / "whole", **changes))
    stopped = _recipe(data, start, tmp_path / "stopped", **changes)
    for step in (6, 11):
        with pytest.raises(_Killed):
            finetune(stopped, _stop_at(step))  # type: ignore[arg-type]  # counts as well
    assert _same(whole, finetune(stopped))
    assert not _same(whole, start)


@pytest.mark.parametrize("method", [_LORA, _ADALORA], ids=lambda m: m["kind"])
def test_merged_model_computes_what_the_adapted_one_did(
    method: dict[str, object], data: Path, start: Path, tmp_path: Path
) -> None:
    weights = _fit(_recipe(data, start, tmp_path, method=method))
    tokens = torch.arange(1, 40)[None]
    weights.model.eval()
    with torch.no_grad():
        adapted = weights.hidden_states(tokens)
        plain = weights.merged().eval()
        merged = plain.transformer(input_ids=tokens)[0]
        before = load_model(start, 0.0).eval().transformer(input_ids=tokens)[0]
    assert torch.allclose(adapted, merged, atol=1e-4)
    assert not torch.allclose(before, merged, atol=1e-3)
    assert type(plain) is GPT2LMHeadModel


def test_adapter_trains_few_numbers_and_its_checkpoints_hold_no_others(start: Path, data: Path, tmp_path: Path) -> None:
    weights = trainable(_recipe(data, start, tmp_path, method=_LORA), load_model(start, 0.0))
    trained = dict(weights.named_parameters())
    assert all("lora_" in name for name in trained)
    assert set(weights.state()["weights"]) == set(trained)


def test_adalora_gives_ranks_up(data: Path, start: Path, tmp_path: Path) -> None:
    weights = _fit(_recipe(data, start, tmp_path, method=_ADALORA))
    assert isinstance(weights, AdaLoraWeights)
    kept = [sum(flags) for flags in weights.state()["ranks"].values()]
    assert sum(kept) < 6 * len(kept)


def test_prefix_learns_and_leaves_the_model_alone(data: Path, start: Path, tmp_path: Path) -> None:
    weights = _fit(_recipe(data, start, tmp_path, method=_PREFIX, vector_rate=0.05))
    tokens = torch.arange(1, 40)[None]
    weights.model.eval()
    with torch.no_grad():
        with_prefix = weights.hidden_states(tokens)
        plain = weights.model.transformer(input_ids=tokens)[0]
        before = load_model(start, 0.0).eval().transformer(input_ids=tokens)[0]
    assert torch.allclose(plain, before)
    assert not torch.allclose(with_prefix, plain, atol=1e-3)
    with pytest.raises(TypeError, match="cannot be merged"):
        weights.merged()


def test_early_stopping_ends_with_the_best_weights_not_the_last(data: Path, start: Path, tmp_path: Path) -> None:
    harmful = {"matrix_rate": 0.3, "vector_rate": 0.3, "final_rate": 1.0, "validate_every": 1, "patience": 2}
    recipe = _recipe(data, start, tmp_path, steps=40, **harmful)
    seen: list[int] = []
    weights = _fit(recipe, lambda done, total: seen.append(done))
    found = load_newest_checkpoint(tmp_path / "best")
    assert found is not None
    assert seen[-1] == found[0] + 2 < 40
    assert all(torch.equal(found[1]["weights"][name], value) for name, value in weights.state()["weights"].items())


def test_killed_process_resumes_to_the_same_weights(data: Path, start: Path, tmp_path: Path) -> None:
    changes = {"steps": 60, "checkpoint_every": 2, "patience": 30}
    whole = finetune(_recipe(data, start, tmp_path / "whole", **changes))
    recipe = _recipe(data, start, tmp_path / "killed", **changes)
    for checkpoint in (4, 20):
        _kill_after(recipe, tmp_path, checkpoint)
        assert not (recipe.run / "model").exists()
        assert load_newest_checkpoint(recipe.run / "checkpoints") is not None
    assert _same(whole, finetune(recipe))


def _kill_after(recipe: TextRecipe, folder: Path, step: int) -> None:
    """Train in a process of its own and SIGKILL it, in whatever it does, once it has saved ``step`` or a later one."""
    script = (
        "import sys, pathlib; from generator.train.finetune import finetune; "
        "from generator.train.recipe import TextRecipe; "
        "finetune(TextRecipe.model_validate_json(pathlib.Path(sys.argv[1]).read_text()))"
    )
    told = folder / "recipe.json"
    told.write_text(recipe.model_dump_json(), encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", script, str(told)], cwd=_ROOT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline:
            saved = [int(path.name[5:]) for path in (recipe.run / "checkpoints").glob("step-*")]
            if max(saved, default=0) >= step:
                process.kill()
                break
            time.sleep(0.001)
        assert process.wait(60) == -signal.SIGKILL


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """A full disk, as far as one file is concerned; Python ignores SIGXFSZ, so a write fails with EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_keeps_the_last_checkpoint_and_leaves_no_half(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"x": torch.ones(9)})
    with _files_of_at_most(1000), pytest.raises(StorageFull, match="no room"):
        save_checkpoint(tmp_path, 2, {"x": torch.zeros(9000)})
    found = load_newest_checkpoint(tmp_path)
    assert found is not None
    assert found[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]


def test_full_disk_under_the_finished_model_is_told_as_such(start: Path, tmp_path: Path) -> None:
    model, tokenizer = load_model(start, 0.0), load_tokenizer(start)
    with _files_of_at_most(20_000), pytest.raises(StorageFull, match="no room"):
        save_model(tmp_path / "model", model, tokenizer)
    with _files_of_at_most(20_000), pytest.raises(StorageFull, match="no room"):
        export(start, tmp_path / "exported")
    assert [path.name for path in tmp_path.rglob("*")] in ([], ["exported"])


def test_run_that_met_a_full_disk_goes_on_when_there_is_room(data: Path, start: Path, tmp_path: Path) -> None:
    whole = finetune(_recipe(data, start, tmp_path / "whole"))
    recipe = _recipe(data, start, tmp_path / "full")
    with pytest.raises(_Killed):
        finetune(recipe, _stop_at(6))  # type: ignore[arg-type]  # counts as well
    with _files_of_at_most(20_000), pytest.raises(StorageFull, match="goes on from the last checkpoint"):
        finetune(recipe)
    assert not (recipe.run / "model").exists()
    assert _same(whole, finetune(recipe))


def test_learning_rate_search_finds_the_rate_that_learns_and_keeps_what_it_tried(
    data: Path, start: Path, tmp_path: Path
) -> None:
    recipe, search = _recipe(data, start, tmp_path), RateSearch(trials=4, steps=6, low=1e-7, high=1e-2)
    loads: list[FullWeights | None] = []

    def load() -> GPT2LMHeadModel:
        loads.append(None)
        if len(loads) == 3:
            raise _Killed
        return load_model(start, 0.0)

    with pytest.raises(_Killed):
        search_rate(recipe, search, load, _objective(recipe))
    found = search_rate(recipe, search, load, _objective(recipe))
    assert found > 1e-5
    assert len(loads) == 3 + 2  # two trials were kept, one was lost
    other = _recipe(data, start, tmp_path / "whole")
    assert search_rate(other, search, lambda: load_model(start, 0.0), _objective(other)) == pytest.approx(found)


def test_rate_whose_last_step_breaks_the_model_is_a_failed_trial(
    data: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(data, start, tmp_path)
    objective = _objective(recipe)
    monkeypatch.setattr(objective, "validate", lambda _: {"loss": math.nan})
    with pytest.raises(TrainingDiverged, match="Lower both ends"):
        search_rate(recipe, RateSearch(trials=2, steps=1), lambda: load_model(start, 0.0), objective)


def test_search_in_which_every_rate_diverges_says_so(data: Path, start: Path, tmp_path: Path) -> None:
    search = RateSearch(trials=2, steps=4, low=1e28, high=1e30)
    recipe = _recipe(data, start, tmp_path, warmup=1)
    with pytest.raises(TrainingDiverged, match="Lower both ends"):
        search_rate(recipe, search, lambda: load_model(start, 0.0), _objective(recipe))
