"""Training with tiny real models: it learns, it resumes exactly, it stops on NaN, and what it saves can be served."""

from __future__ import annotations

import random
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
import torch
from ctranslate2.converters import TransformersConverter
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerBase

from domain.errors import ModelUnsuitable
from generator.dataset import GroundedExample, Seed, SeedPassage, is_validation
from generator.prompt import Evidence, MarkedSentence
from generator.train import loop, optimization
from generator.train.adapters import FullWeights
from generator.train.build import build_examples, pack_examples, pack_prose, with_noise
from generator.train.checkpoint import load_newest_checkpoint, save_checkpoint
from generator.train.export import export
from generator.train.finetune import finetune
from generator.train.loop import RunMismatch, TrainingDiverged
from generator.train.optimization import rate_at
from generator.train.packed import make_batch, make_copy_rows, save_packed
from generator.train.pretrain import fresh_model, pretrain
from generator.train.recipe import ModelShape, Stage, TextRecipe
from generator.train.tokenizer import train_tokenizer

_STEPS = 24


def _seeds() -> list[Seed]:
    things = ("cable", "shade", "bulb", "switch", "base")
    found = []
    for i in range(120):
        told = tuple(f"The {thing} of lamp {i} costs {i % 9} euros." for thing in things)
        passage = SeedPassage(f"document {i}", f"Lamp {i}", told)
        found.append(Seed("shop", f"What does the {things[i % 5]} of lamp {i} cost?", passage, (i % 5,)))
    return found


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return train_tokenizer((" ".join(seed.passage.sentences) for seed in _seeds()), 320)


@pytest.fixture(scope="module")
def data(tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    train, validation = build_examples(_seeds(), {"shop": 120}, 8, random.Random(0))
    save_packed(folder / "grounded.npz", pack_examples(train, tokenizer, 256))
    save_packed(folder / "validation.npz", pack_examples(validation or train[:4], tokenizer, 256))
    prose = pack_prose([" ".join(s.passage.sentences) for s in _seeds()], tokenizer, 64, 8000)
    save_packed(folder / "prose.npz", prose)
    save_packed(folder / "copy.npz", make_copy_rows(prose, 20, 320, 0))
    tokenizer.save_pretrained(str(folder / "tokenizer"))
    return folder


def _recipe(data: Path, run: Path, **changes: object) -> TextRecipe:
    told: dict[str, object] = {
        "data": data,
        "run": run,
        "shape": ModelShape(layers=2, width=32, heads=4, context=256),
        "steps": _STEPS,
        "warmup": 4,
        "batch_tokens": 512,
        "accumulate": 2,
        "lengths": (64, 256),
        "stages": (Stage(until=8, shares={"prose": 1.0}), Stage(until=99, shares={"prose": 0.5, "answers": 0.5})),
        "shifted_positions": 0.5,
        "dropout": 0.1,
        "checkpoint_every": 8,
        "validate_every": _STEPS,
        "validation_batches": 2,
        "threads": 1,
        **changes,
    }
    return TextRecipe.model_validate(told)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in GPT2LMHeadModel.from_pretrained(str(folder)).state_dict().items()}


def _losses(run: Path, tag: str) -> list[float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(run / "curve"))
    reader.Reload()
    return [event.value for event in reader.Scalars(tag)]


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole")
    pretrain(_recipe(data, run))
    return run


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tensorboard's reader
def test_loss_falls(trained: Path) -> None:
    losses = _losses(trained, "loss/prose")
    assert sum(losses[-5:]) / 5 < losses[0] - 0.5


def test_run_folder_says_what_made_it(trained: Path) -> None:
    record = (trained / "run.json").read_text(encoding="utf-8")
    assert all(word in record for word in ('"seed"', '"sha256"', '"torch"', '"steps"'))


def test_nan_loss_stops_and_keeps_the_last_good_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "rate_at", lambda step, way, recipe: 1.0 if step < 6 else 1e33)
    with pytest.raises(TrainingDiverged, match="Lower the rates"):
        pretrain(_recipe(data, tmp_path, checkpoint_every=2))
    assert not (tmp_path / "model").exists()
    found = load_newest_checkpoint(tmp_path / "checkpoints")
    assert found is not None
    assert found[0] >= 4
    assert all(torch.isfinite(value).all() for value in found[1]["weights"]["weights"].values())


def test_resuming_with_another_recipe_is_refused(data: Path, trained: Path) -> None:
    with pytest.raises(RunMismatch, match="another recipe"):
        pretrain(_recipe(data, trained, seed=99))


def test_half_written_checkpoint_is_passed_over(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"x": torch.ones(2)})
    broken = save_checkpoint(tmp_path, 2, {"x": torch.zeros(2)})
    (broken / "state.pt").write_bytes(b"cut short")
    (tmp_path / "partial-000003").mkdir()
    for step, manifest in ((4, '{"step": 4, "sha256": "0"}'), (5, '{"step"'), (6, "{}")):
        (tmp_path / f"step-00000{step}").mkdir()
        (tmp_path / f"step-00000{step}" / "manifest.json").write_text(manifest)
    found = load_newest_checkpoint(tmp_path)
    assert found is not None
    assert found[0] == 1
    assert torch.equal(found[1]["x"], torch.ones(2))


def test_checkpoint_just_saved_is_never_the_one_that_goes(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 100, {"x": torch.ones(2)}, keep=1)
    (tmp_path / "partial-step-000100" / "rest").mkdir(parents=True)  # of a removal that was killed
    saved = save_checkpoint(tmp_path, 75, {"x": torch.zeros(2)}, keep=1)
    assert list(tmp_path.iterdir()) == [saved]


def test_finetuned_export_loads_with_transformers_and_runs_with_ctranslate2(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    stages = (Stage(until=99, shares={"answers": 1.0}),)
    folder = finetune(_recipe(data, tmp_path / "run", start=trained / "model", steps=2, stages=stages))
    export(folder, tmp_path / "shipped")
    model = GPT2LMHeadModel.from_pretrained(str(tmp_path / "shipped"))
    loaded = AutoTokenizer.from_pretrained(str(tmp_path / "shipped"))
    assert model.config.vocab_size == len(loaded) == 320
    assert (tmp_path / "shipped" / "answerdesk.json").exists()
    TransformersConverter(str(tmp_path / "shipped")).convert(str(tmp_path / "ct2"), quantization="int8")
    engine = ctranslate2.Generator(str(tmp_path / "ct2"), device="cpu", intra_threads=1)
    tokens = loaded.convert_ids_to_tokens(loaded.encode("Question: What does the cable cost?"))
    (result,) = engine.generate_batch([tokens], max_length=5, include_prompt_in_result=False)
    assert len(result.sequences[0]) <= 5


def test_finetuning_refuses_data_packed_for_another_tokenizer(data: Path, trained: Path, tmp_path: Path) -> None:
    other = train_tokenizer(["nothing in common"], 300)
    other.save_pretrained(str(tmp_path / "data" / "tokenizer"))
    with pytest.raises(ModelUnsuitable, match="another tokenizer"):
        finetune(_recipe(tmp_path / "data", tmp_path / "run", start=trained / "model"))


def test_answer_mask_covers_the_answer_and_its_end_only(tokenizer: PreTrainedTokenizerBase) -> None:
    (example, *_), _ = build_examples(_seeds(), {"shop": 4}, 1, random.Random(1))
    packed = pack_examples([example], tokenizer, 400)
    batch = make_batch(packed, [0], 400, pad=0, answers_only=True)
    wanted = batch.targets[0][batch.targets[0] != -100]
    assert tokenizer.decode(wanted[:-1].tolist()) == example.target()
    assert wanted[-1] == tokenizer.eos_token_id
    everything = make_batch(packed, [0], 400, pad=0, answers_only=False)
    assert np.array_equal(everything.targets[0][: len(packed.row(0)) - 1], packed.row(0)[1:])


def test_split_never_leaks_a_document() -> None:
    train, validation = build_examples(_seeds(), {"shop": 240}, 200, random.Random(0))
    assert {e.document for e in train}.isdisjoint(e.document for e in validation)
    assert all(is_validation(e.document) for e in validation)


def test_fresh_model_with_copying_heads_copies_without_training(data: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(data / "tokenizer"))
    shape = ModelShape(layers=2, width=256, heads=8, context=128)
    model = fresh_model(_recipe(data, tmp_path, shape=shape, copying_heads=True, dropout=0.0), tokenizer).eval()
    piece = torch.from_numpy(np.random.default_rng(0).permutation(np.arange(1, 320))[:40])
    logits = model(input_ids=torch.cat([piece, piece])[None]).logits[0]
    assert (logits[41:79].argmax(-1) == piece[2:]).float().mean() > 0.5


@pytest.mark.parametrize("change", [{"steps": 0}, {"accumulate": 0}, {"warmup": -1}, {"lengths": ()}, {"minutes": 0}])
def test_recipe_that_trains_nothing_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        _recipe(tmp_path, tmp_path, **change)


def test_noise_on_the_evidence_changes_its_order_and_the_marks_with_it() -> None:
    pieces = tuple(Evidence(f"Lamp {n} costs {n} euros.") for n in range(4))
    answer = (MarkedSentence("Lamp 1 costs 1 euros.", (2,)),)
    example = GroundedExample("s", "d", "How much is lamp 1?", pieces, answer, (1.0, 0.5, 0.0, -0.5))
    assert with_noise(example, 0.0, random.Random(0)) == example
    noisy = [with_noise(example, 1.0, random.Random(i)) for i in range(30)]
    for one in noisy:
        assert one.log_odds == tuple(sorted(one.log_odds, reverse=True))
        assert one.evidence[one.answer[0].marks[0] - 1] == pieces[1]
        assert set(one.evidence) == set(pieces)
    assert len({one.answer[0].marks for one in noisy}) > 2


def test_byte_level_tokenizer_keeps_every_text(tokenizer: PreTrainedTokenizerBase) -> None:
    text = 'Straße 7: "50 % off" – 東京 🙂 [1]\nAnswer:'
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_rate_warms_up_and_ends_at_its_final_share(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, tmp_path, final_rate=0.1)
    assert rate_at(0, 0.0, recipe) == pytest.approx(0.25)
    assert rate_at(3, 3 / _STEPS, recipe) == pytest.approx(1.0)
    assert rate_at(_STEPS, 1.0, recipe) == pytest.approx(0.1)


def test_shipped_checkpoint_is_small_and_fits_its_tokenizer() -> None:
    folder = Path(__file__).parents[2] / "generator" / "models" / "answerdesk-gpt2"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 40_000_000
    model = GPT2LMHeadModel.from_pretrained(str(folder))
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(str(folder)))
    assert '"grounded": true' in (folder / "answerdesk.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(("native", "kinds"), [(True, ["Muon", "AdamW"]), (False, ["AdamW"])])
def test_muon_is_left_out_where_its_16_bit_numbers_are_emulated(
    native: bool, kinds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimization, "multiplies_bfloat16", lambda _: native)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=1, n_head=2))
    recipe = TextRecipe(data=Path("d"), run=Path("r"), steps=1, stages=(Stage(until=1, shares={"prose": 1.0}),))
    optimizers = optimization.make_optimizers(FullWeights(model), recipe)
    assert [type(one).__name__ for one in optimizers] == kinds
    trained = [id(p) for one in optimizers for group in one.param_groups for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in model.parameters())
