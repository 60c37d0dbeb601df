"""What travels to another machine and back is what was packed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from generator.dataset import GroundedExample
from generator.prompt import Evidence, MarkedSentence
from generator.train.build import pack_examples, pack_prose
from generator.train.choices import pack_choices
from generator.train.packed import load_packed, save_packed
from generator.train.tokenizer import load_tokenizer, train_tokenizer
from generator.train.travel import pack, shards, unpack


def _examples(word: str) -> list[GroundedExample]:
    evidence = (Evidence(f"The {word} is grey. It costs five euros.", "Lamps"), Evidence("Bulbs are sold in pairs."))
    told = (MarkedSentence(f"The {word} is grey.", (1,)), MarkedSentence("Bulbs are sold in pairs.", (2,)))
    return [GroundedExample("s", word, f"Which {word}?", evidence, answer) for answer in (told, told[:1], ())]


def test_rows_are_made_again_from_the_choices_that_travelled(tmp_path: Path) -> None:
    sides = {"grounded": _examples("cable"), "product-train": _examples("shade"), "validation": _examples("switch")}
    tokenizer = train_tokenizer([one.prompt() for side in sides.values() for one in side], 300)
    data = tmp_path / "data"
    (data / "choices").mkdir(parents=True)
    tokenizer.save_pretrained(str(data / "tokenizer"))
    for name, examples in sides.items():
        pack_choices(examples, tokenizer, 256).save(data / f"choices/{name}.npz")
    prose = pack_prose(["Lamps are made of glass and brass. " * 30], tokenizer, 64, 10_000)
    save_packed(data / "prose.npz", prose)
    pack(data, tmp_path / "data.tar.xz")
    unpack(tmp_path / "data.tar.xz", tmp_path / "there")

    assert load_tokenizer(tmp_path / "there/tokenizer").get_vocab() == tokenizer.get_vocab()
    assert load_packed(tmp_path / "there/prose.npz").fingerprint() == prose.fingerprint()
    grounded = pack_examples([*sides["grounded"], *sides["product-train"]], tokenizer, 256)
    assert load_packed(tmp_path / "there/grounded.npz").fingerprint() == grounded.fingerprint()
    validation = pack_examples(sides["validation"], tokenizer, 256)
    assert load_packed(tmp_path / "there/validation.npz").fingerprint() == validation.fingerprint()
    assert len(load_packed(tmp_path / "there/copy.npz")) > 0


def test_model_comes_back_in_files_that_may_travel(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=16_384, n_positions=64, n_embd=512, n_layer=2, n_head=2))
    model.save_pretrained(tmp_path / "model")
    shards(tmp_path / "model", tmp_path / "back")
    files = list((tmp_path / "back").glob("*.safetensors"))
    assert len(files) > 1
    assert max(file.stat().st_size for file in files) < 16 * 2**20 + 4096
    back = GPT2LMHeadModel.from_pretrained(tmp_path / "back", dtype=torch.float32)
    known = dict(model.named_parameters())
    assert all(np.allclose(p.detach(), known[n].detach(), rtol=0.01, atol=1e-6) for n, p in back.named_parameters())
