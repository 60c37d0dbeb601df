from __future__ import annotations

import json
from pathlib import Path

from benchmarks._peers import BestSentence, SmolLM, Written, best_window_f1
from domain.ids import sha256_hex


def test_best_window_reaches_over_sentences_but_not_over_passages() -> None:
    passages = ["Pay the fee. Bring the plates. Sign the form.", "Wait at home."]
    assert best_window_f1(passages, "Bring the plates. Sign the form.") == 1.0
    assert best_window_f1(passages, "Sign the form. Wait at home.") < 1.0
    assert best_window_f1(passages, "Bring the plates.", longest=1) == 1.0
    assert best_window_f1([], "Pay.") == 0.0


def test_nearest_sentence_is_chosen_from_all_passages() -> None:
    peer = BestSentence()
    peer.load()
    passages = ["The office opens at nine. Parking is free.", "You can pay the fine by credit card."]
    assert peer.choose("when does the office open?", passages) == "The office opens at nine."
    assert peer.choose("can I pay by card?", passages) == "You can pay the fine by credit card."
    assert peer.choose("anything?", []) == ""


def test_smollm_answer_on_file_needs_no_model(tmp_path: Path) -> None:
    cache = tmp_path / "smollm2.jsonl"
    key = sha256_hex(json.dumps(SmolLM.messages("Q?", ["A passage."])))
    cache.write_text(json.dumps({"prompt": key, "text": "A.", "seconds": 1.5}) + "\n", encoding="utf-8")
    assert SmolLM(cache).answer("Q?", ["A passage."]) == Written("A.", 1.5)
