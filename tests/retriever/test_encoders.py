"""The packed BERT against sentence-transformers with the bundled model."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from retriever.bert import can_pack, multiplies_bfloat16
from retriever.embedder import MiniLMEmbedder, bundled_model_path
from retriever.encoders import FrameworkEncoder, PackedEncoder, open_encoder

TEXTS = ["A lamp.", "word " * 400, "", "灯泡 和 灯", "🙂", "You can return an item within thirty days of delivery."] + [
    f"Passage {n} about lamps" + " and boxes" * (n * 7 % 11) for n in range(40)
]


def encode(encoder: PackedEncoder | FrameworkEncoder, texts: list[str]) -> np.ndarray:
    vectors = np.zeros((len(texts), 384), dtype=np.float32)
    for places, batch in encoder.split(texts):
        vectors[places] = encoder.encode(batch)
    return vectors


@pytest.mark.parametrize(("precision", "cosine"), [("fp32", 0.99999), ("bf16", 0.998)])
def test_packed_texts_get_the_vectors_of_the_framework(precision: str, cosine: float) -> None:
    packed = open_encoder(bundled_model_path(), precision)
    assert isinstance(packed, PackedEncoder)
    reference = encode(FrameworkEncoder(bundled_model_path(), "fp32"), TEXTS)
    assert (encode(packed, TEXTS) * reference).sum(axis=1).min() > cosine


def test_sixteen_bit_floats_are_not_imitated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, "avx512_vnni": True})
    assert not multiplies_bfloat16()
    exact = encode(FrameworkEncoder(bundled_model_path(), "fp32"), TEXTS)
    np.testing.assert_array_equal(encode(FrameworkEncoder(bundled_model_path(), "bf16"), TEXTS), exact)
    packed = open_encoder(bundled_model_path(), "bf16")
    assert isinstance(packed, PackedEncoder)
    np.testing.assert_allclose(encode(packed, TEXTS), exact, atol=1e-5)


def test_vectors_do_not_depend_on_what_else_is_in_the_batch() -> None:
    packed = open_encoder(bundled_model_path(), "bf16")
    assert isinstance(packed, PackedEncoder)
    alone = np.concatenate([encode(packed, [text]) for text in TEXTS])
    assert (encode(packed, TEXTS) * alone).sum(axis=1).min() > 0.999


def test_every_text_is_in_one_batch_and_no_batch_is_too_large() -> None:
    packed = open_encoder(bundled_model_path(), "bf16")
    batches = packed.split(TEXTS)
    assert sorted(place for places, _ in batches for place in places) == list(range(len(TEXTS)))
    assert max(sum(map(len, batch)) for _, batch in batches) <= 2048
    assert packed.split([]) == []


def other_pooling(folder: Path) -> Path:
    """The bundled model by links, told to take the first token's vector."""
    for path in bundled_model_path().rglob("*"):
        name = path.relative_to(bundled_model_path())
        if path.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path)
    pooling = folder / "1_Pooling" / "config.json"
    content = json.loads(pooling.read_text())
    pooling.unlink()
    pooling.write_text(json.dumps(content | {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    return folder


def test_model_that_is_no_plain_bert_runs_in_its_framework(tmp_path: Path) -> None:
    embedder = MiniLMEmbedder(other_pooling(tmp_path), threads=2)
    embedder.load()
    assert isinstance(embedder._encoder, FrameworkEncoder)
    plain = MiniLMEmbedder(threads=2)
    plain.load()
    texts = TEXTS[:6] + TEXTS * 2
    vectors = embedder.encode_documents(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    assert (vectors[0] * plain.encode_documents(texts[:1])[0]).sum() < 0.99


@pytest.mark.parametrize(
    ("config", "pooling", "packs"),
    [
        ({}, {}, True),
        ({"model_type": "roberta"}, {}, False),
        ({"hidden_act": "relu"}, {}, False),
        ({"position_embedding_type": "relative_key"}, {}, False),
        ({}, {"pooling_mode_max_tokens": True}, False),
        ({}, {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, False),
    ],
)
def test_only_a_plain_bert_with_mean_pooling_is_packed(
    config: dict[str, str], pooling: dict[str, bool], packs: bool
) -> None:
    plain = {"model_type": "bert", "hidden_act": "gelu"}
    assert can_pack(plain | config, {"pooling_mode_mean_tokens": True} | pooling) is packs


def test_threads_of_others_keep_their_number_of_cores() -> None:
    def count() -> int:
        seen: list[int] = []
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        return seen[0]

    before = torch.get_num_threads(), count()
    embedder = MiniLMEmbedder(threads=2)
    embedder.load()
    embedder.encode_documents(TEXTS)
    assert (torch.get_num_threads(), count()) == before
