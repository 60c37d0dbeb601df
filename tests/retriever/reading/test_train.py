from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from retriever.embedder import bundled_model_path
from retriever.reading import train
from retriever.reading.network import WEIGHTS_FILE, load_reader
from retriever.reading.text import ReaderTokenizer
from retriever.reading.train import Asked, Batch, ReaderRecipe, batch_scores, loss_of


def _row(question: str, answers: list[int]) -> dict[str, Any]:
    text = "A day ticket costs six euros. Dogs travel free."
    passage = {"lead": "Fares", "text": text, "sentences": [[0, 29], [30, 47]], "answers": answers}
    return {"source": "made", "page": "fares", "question": question, "context": "", "passages": [passage]}


ROWS = [_row("price for one day", [0]), _row("can my dog come", [1]), _row("do you sell maps", [])] * 4


@pytest.fixture
def recipe(tmp_path: Path) -> ReaderRecipe:
    for name in ("train", "validation"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return ReaderRecipe(data=tmp_path, folder=tmp_path / "run", batch=3, epochs=2, rate=5e-4, checkpoint_seconds=10_000)


def _write(recipe: ReaderRecipe, path: Path) -> Path:
    names = ("data", "folder", "start", "start_share", "batch", "epochs", "minutes", "rate", "checkpoint_seconds")
    known = {name: value for name in names if (value := getattr(recipe, name)) is not None}
    lines = [f"{name} = {json.dumps(value, default=str)}" for name, value in known.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_loss_is_small_for_the_right_choice_and_great_for_a_wrong_one() -> None:
    gold = torch.tensor([[0.0, 1.0], [0.0, 0.0]])  # of the second question none answers
    sure, silent = torch.tensor([-8.0, 8.0]), torch.tensor([-8.0, -8.0])
    assert bool((loss_of(torch.stack([sure, silent]), gold, 1.0) < 0.01).all())
    assert bool((loss_of(torch.stack([silent, sure]), gold, 1.0) > 0.01).all())


def test_padding_changes_nothing_of_the_loss() -> None:
    scores, gold = torch.tensor([[0.5, -2.0]]), torch.tensor([[1.0, 0.0]])
    longer = torch.cat([scores, torch.full((1, 3), -1e4)], 1), torch.cat([gold, torch.full((1, 3), -1.0)], 1)
    torch.testing.assert_close(loss_of(*longer, 0.7), loss_of(scores, gold, 0.7))


def test_scores_of_a_batch_go_to_their_questions() -> None:
    model = load_reader(None).eval()
    tokenizer = ReaderTokenizer(bundled_model_path() / "tokenizer.json")
    long = _row("what is free", [1])
    long["passages"] = [*long["passages"], {**long["passages"][0], "lead": "Other", "answers": []}]
    asked = [Asked(row, tokenizer) for row in (ROWS[0], long)]
    batch = Batch.of(asked)
    with torch.inference_mode():
        scores = batch_scores(model, batch)
        alone = [torch.cat(model(one.pairs)) for one in asked]
    assert batch.gold.tolist() == [[1.0, 0.0, -1.0, -1.0], [0.0, 1.0, 0.0, 0.0]]
    for row, own in zip(scores, alone, strict=True):
        torch.testing.assert_close(row[: len(own)], own, atol=2e-2, rtol=2e-2)
    assert float(scores[0, 2:].max()) < -1e3


def test_training_learns_and_writes_weights_and_figures(recipe: ReaderRecipe, tmp_path: Path) -> None:
    train.main(_write(recipe, tmp_path / "recipe.toml"))
    figures = json.loads((recipe.folder / "figures.json").read_text(encoding="utf-8"))
    assert figures["made"]["right"] == 1.0
    assert figures["made"]["auc"] == 1.0
    assert load_reader(recipe.folder).outer.weight.abs().sum().item() > 0


def test_every_file_of_a_side_is_learnt_from(recipe: ReaderRecipe, tmp_path: Path) -> None:
    (tmp_path / "train-found.jsonl").write_text(json.dumps(_row("what is a ticket", [0])) + "\n", encoding="utf-8")
    assert len(train._epoch_rows(recipe)) == recipe.epochs * (len(ROWS) + 1)


def test_whole_page_is_kept_beside_what_is_drawn_of_its_source(recipe: ReaderRecipe, tmp_path: Path) -> None:
    new = {**_row("when do you open", []), "page": "Hollin Tarn Watches"}
    (tmp_path / "train-found.jsonl").write_text((json.dumps(new) + "\n") * 5, encoding="utf-8")
    few = recipe.model_copy(update={"keep": {"made": 2}, "epochs": 1, "whole_pages": ("hollin-tarn-watches",)})
    pages = [row["page"] for row in train._epoch_rows(few)]
    assert (pages.count("Hollin Tarn Watches"), pages.count("fares")) == (5, 2)


def test_mean_with_the_start_lies_between_it_and_what_was_learnt(recipe: ReaderRecipe, tmp_path: Path) -> None:
    train.main(_write(recipe, tmp_path / "recipe.toml"))
    written = {}
    for share in (0.0, 0.25, 1.0):
        to = tmp_path / f"from-{share}"
        again = recipe.model_copy(update={"start": recipe.folder, "start_share": share, "epochs": 1, "folder": to})
        train.main(_write(again, tmp_path / "again.toml"))
        written[share] = load_reader(to).trained()
    before = load_reader(recipe.folder).trained()
    for name, learnt in written[0.0].items():
        torch.testing.assert_close(written[1.0][name], before[name])
        torch.testing.assert_close(written[0.25][name], 0.75 * learnt + 0.25 * before[name])
    assert any(not torch.equal(learnt, before[name]) for name, learnt in written[0.0].items())


def test_folder_without_examples_says_what_makes_them(recipe: ReaderRecipe, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no train.*\.jsonl; generator\.train\.reading writes it"):
        train.main(_write(recipe, tmp_path / "recipe.toml"))


def test_run_that_was_killed_goes_on_from_its_checkpoint(
    recipe: ReaderRecipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _write(recipe.model_copy(update={"checkpoint_seconds": 0}), tmp_path / "recipe.toml")
    train.main(path)
    (recipe.folder / WEIGHTS_FILE).unlink()
    with caplog.at_level("INFO"):
        train.main(path)
    assert "from step 8" in caplog.text
    assert (recipe.folder / WEIGHTS_FILE).exists()


def test_clock_ends_a_run_that_would_last_longer(recipe: ReaderRecipe, tmp_path: Path) -> None:
    long = recipe.model_copy(update={"epochs": 500, "checkpoint_seconds": 0, "minutes": 0.05})
    train.main(_write(long, tmp_path / "recipe.toml"))
    state = torch.load(recipe.folder / "state.pt", weights_only=True)
    assert 0 < state["step"] < 500 * len(ROWS) // recipe.batch
    assert state["seconds"] < 60
    assert (recipe.folder / WEIGHTS_FILE).exists()


def test_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(recipe: ReaderRecipe, tmp_path: Path) -> None:
    path = _write(recipe.model_copy(update={"checkpoint_seconds": 0, "rate": float("1e30")}), tmp_path / "recipe.toml")
    with pytest.raises(FloatingPointError, match="last checkpoint is kept"):
        train.main(path)
    state = torch.load(recipe.folder / "state.pt", weights_only=True)
    assert all(torch.isfinite(weight).all() for weight in state["model"].values())
