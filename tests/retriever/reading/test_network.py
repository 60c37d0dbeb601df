from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from domain.text import sentence_spans
from retriever.embedder import bundled_model_path
from retriever.reading.network import WEIGHTS_FILE, ReaderModel, ReadPair, load_reader
from retriever.reading.text import ReaderTokenizer

PASSAGES = (
    "The library opens at nine. Books may be kept for four weeks.",
    "A lost book is charged at its price. We close on holidays, and on the day before from noon. Ask at the desk.",
    "Members may bring a guest.",
)


@pytest.fixture(scope="module")
def untrained() -> ReaderModel:
    return load_reader(None).eval()


@pytest.fixture(scope="module")
def pairs() -> list[ReadPair]:
    tokenizer = ReaderTokenizer(bundled_model_path() / "tokenizer.json")
    question = tokenizer.question("how long can I keep a book?")
    return [tokenizer.pair(question, "Library", text, sentence_spans(text)) for text in PASSAGES]


def test_before_training_likeness_decides(untrained: ReaderModel, pairs: list[ReadPair]) -> None:
    with torch.inference_mode():
        scores = untrained(pairs, gate=-20.0)
    assert [len(row) for row in scores] == [2, 3, 1]
    assert int(scores[0].argmax()) == 1
    assert float(scores[0].max()) > float(scores[2].max())


def test_what_stands_beside_a_passage_changes_nothing(untrained: ReaderModel, pairs: list[ReadPair]) -> None:
    with torch.inference_mode():
        together, alone = untrained(pairs), [untrained([pair])[0] for pair in pairs]
    for row, own in zip(together, alone, strict=True):
        torch.testing.assert_close(row, own, atol=1e-3, rtol=1e-3)


def test_attention_is_the_same_fused_or_not(untrained: ReaderModel, pairs: list[ReadPair]) -> None:
    plain = load_reader(None, attention="eager").eval()
    with torch.inference_mode():
        for row, own in zip(plain(pairs), untrained(pairs), strict=True):
            torch.testing.assert_close(row, own, atol=3e-2, rtol=3e-2)
    assert {layer.attention.self.config._attn_implementation for layer in plain.layers} == {"eager"}


def test_sixteen_bit_floats_are_not_imitated(
    untrained: ReaderModel, pairs: list[ReadPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, "avx512_vnni": True})
    seen: list[torch.dtype] = []
    hook = untrained.layers[0].output.dense.register_forward_hook(lambda _, __, made: seen.append(made.dtype))
    with torch.inference_mode():
        untrained(pairs)
    hook.remove()
    assert set(seen) == {torch.float32}


def test_only_what_was_trained_is_saved_and_it_loads_again(untrained: ReaderModel, tmp_path: Path) -> None:
    weights = untrained.trained()
    assert not any(name.startswith("embeddings") for name in weights)
    save_file({**weights, "bias": torch.tensor(3.0)}, tmp_path / WEIGHTS_FILE)
    assert load_reader(tmp_path).bias.item() == 3.0


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    save_file({"wte": torch.zeros(2, 2)}, tmp_path / WEIGHTS_FILE)
    with pytest.raises(ValueError, match="weights of a reader"):
        load_reader(tmp_path)
