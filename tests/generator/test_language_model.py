from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from domain.errors import ModelMissing, ModelUnsuitable, PromptTooLong
from domain.protocols import LanguageModel
from generator.engines.byte_level import ByteLevelDecoder
from generator.language_model import find_model_folder, inspect_model_folder, load_language_model, load_model_folder
from generator.settings import GeneratorSettings
from generator.train.tokenizer import train_tokenizer

VOCABULARY = 300


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    torch.manual_seed(3)
    tokenizer = train_tokenizer(["You can return a lamp within 30 days. [1] Grüße 你好 😀"] * 3, VOCABULARY)
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=end, eos_token_id=end
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    (folder / "answerdesk.json").write_text(json.dumps({"grounded": True}), encoding="utf-8")
    return folder


@pytest.fixture
def own_folder(gpt2_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(gpt2_folder, tmp_path / "model"))


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def model(gpt2_folder: Path, cache_dir: Path) -> LanguageModel:
    return load_language_model(GeneratorSettings(model=str(gpt2_folder)), cache_dir, threads=1)


def _edit_json(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes), encoding="utf-8")


def test_model_reports_its_facts(model: LanguageModel) -> None:
    assert model.name == "tiny-gpt2"
    assert model.context_tokens == 64
    assert model.is_grounded
    assert model.count_tokens("You can return a lamp") > 1
    assert model.count_tokens("") == 0


def test_generation_streams_at_most_the_asked_tokens_and_is_repeatable(model: LanguageModel) -> None:
    first = list(model.generate("Question: hello\nAnswer:", 12))
    assert "".join(first) == "".join(model.generate("Question: hello\nAnswer:", 12))
    assert 0 < len(first) <= 13
    assert "<|endoftext|>" not in "".join(first)


def test_prompt_beyond_the_context_is_refused_before_the_first_token(model: LanguageModel) -> None:
    with pytest.raises(PromptTooLong, match="64"):
        model.generate("lamp " * 200, 8)


def test_closing_the_stream_early_leaves_the_model_usable(model: LanguageModel) -> None:
    stream = model.generate("You can return", 40)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # generators close, the protocol promises an iterator
    assert "".join(model.generate("You", 3)) == "".join(model.generate("You", 3))


def test_threads_get_the_answers_they_would_get_alone(model: LanguageModel) -> None:
    prompts = ["You can", "return a", "lamp within", "30 days"]
    alone = ["".join(model.generate(prompt, 10)) for prompt in prompts]
    together: dict[int, str] = {}

    def generate(i: int) -> None:
        together[i] = "".join(model.generate(prompts[i], 10))

    threads = [threading.Thread(target=generate, args=(i,)) for i in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(len(prompts))] == alone


def test_no_continuations_have_no_scores(model: LanguageModel) -> None:
    assert model.score("You can", []) == []


def test_score_beyond_the_context_is_refused_and_the_next_one_works(model: LanguageModel) -> None:
    before = model.score("You can", [" lamp"])
    with pytest.raises(PromptTooLong, match="64"):
        model.score("lamp " * 200, [" a"])
    with pytest.raises(PromptTooLong, match="64"):
        model.score("You can", [" a", " lamp" * 100])
    assert model.score("You can", [" lamp"]) == pytest.approx(before, abs=1e-4)


def test_decoder_never_splits_a_code_point() -> None:
    decoder = ByteLevelDecoder()
    assert decoder.feed("ðŁ") == ""  # the first two bytes of an emoji
    assert decoder.feed("ĺĢ") == "😀"
    assert decoder.feed("Ġok") == " ok"
    assert decoder.finish() == ""


def test_decoder_shows_a_cut_code_point_as_a_replacement_at_the_end() -> None:
    decoder = ByteLevelDecoder()
    decoder.feed("ðŁ")
    assert decoder.finish() == "\ufffd"


def test_another_architecture_is_unsuitable(own_folder: Path) -> None:
    _edit_json(own_folder / "config.json", model_type="llama")
    with pytest.raises(ModelUnsuitable, match="llama"):
        inspect_model_folder(own_folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_positions", None),
        ("n_layer", None),
        ("n_layer", 0),
        ("layer_norm_epsilon", None),
        ("activation_function", None),
    ],
)
def test_configuration_that_cannot_be_read_is_unsuitable(own_folder: Path, name: str, value: object) -> None:
    _edit_json(own_folder / "config.json", **{name: value})
    with pytest.raises(ModelUnsuitable):
        load_model_folder(own_folder, 1)


def test_layers_that_the_configuration_leaves_out_are_not_passed_over(own_folder: Path) -> None:
    layers = json.loads((own_folder / "config.json").read_text(encoding="utf-8"))["n_layer"]
    _edit_json(own_folder / "config.json", n_layer=layers - 1)
    with pytest.raises(ModelMissing, match=f"does not know of h.{layers - 1}"):
        load_model_folder(own_folder, 1)


def test_pickled_weights_are_unsuitable_and_never_opened(own_folder: Path) -> None:
    (own_folder / "model.safetensors").unlink()
    (own_folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    with pytest.raises(ModelUnsuitable, match="pickle"):
        inspect_model_folder(own_folder)


def test_tokenizer_larger_than_the_model_is_unsuitable(own_folder: Path) -> None:
    _edit_json(own_folder / "config.json", vocab_size=VOCABULARY - 1)
    with pytest.raises(ModelUnsuitable, match="300 tokens, its model only 299"):
        inspect_model_folder(own_folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_missing_file_is_named(own_folder: Path, name: str) -> None:
    (own_folder / name).unlink()
    with pytest.raises(ModelMissing, match=r"safetensors|config\.json|tokenizer\.json"):
        inspect_model_folder(own_folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_truncated_file_is_named(own_folder: Path, name: str) -> None:
    whole = (own_folder / name).read_bytes()
    (own_folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelMissing, match=name):
        inspect_model_folder(own_folder)


def test_model_without_answerdesk_facts_is_not_grounded(own_folder: Path, cache_dir: Path) -> None:
    (own_folder / "answerdesk.json").unlink()
    assert not load_language_model(GeneratorSettings(model=str(own_folder)), cache_dir, threads=1).is_grounded


def test_model_with_more_rows_than_tokens_still_runs(tmp_path: Path, gpt2_folder: Path) -> None:
    folder = Path(shutil.copytree(gpt2_folder, tmp_path / "padded"))
    GPT2LMHeadModel(
        GPT2Config(vocab_size=320, n_positions=64, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    ).save_pretrained(folder)
    model = load_language_model(GeneratorSettings(model=str(folder)), tmp_path / "cache", threads=1)
    assert isinstance("".join(model.generate("You", 4)), str)


def test_hub_name_that_cannot_be_reached_is_missing_with_the_remedy(tmp_path: Path) -> None:
    settings = GeneratorSettings(model="no such/hub/name", allow_download=True)
    with pytest.raises(ModelMissing, match="Check the name and the connection"):
        find_model_folder(settings, tmp_path)


def test_hub_model_without_safetensors_is_unsuitable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")  # all that the hub had of what may be fetched
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **_: str(tmp_path))
    with pytest.raises(ModelUnsuitable, match="pickled ones, which can run code, are not fetched"):
        find_model_folder(GeneratorSettings(model="someone/pickled", allow_download=True), tmp_path)


def test_cuda_asked_for_where_there_is_none_is_said(gpt2_folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ModelUnsuitable, match="CUDA"):
        load_model_folder(gpt2_folder, threads=1, device="cuda")


def test_hub_name_without_permission_is_missing_with_the_way_out() -> None:
    with pytest.raises(ModelMissing, match="ALLOW_DOWNLOAD"):
        find_model_folder(GeneratorSettings(model="someone/gpt2-not-here"))
