"""What each data set becomes: the question, the passage, the sentences that answer, and what stays out."""

from __future__ import annotations

import random

from generator.dataset import is_held_out
from generator.train.sources import clapnq_seeds, doc2dial_seeds, prose_seeds, squad_seeds

_TEXT = "You must bring two proofs of residence to the office. Fees are paid by card at the counter."


def test_held_out_doc2dial_documents_yield_no_seed() -> None:
    names = [f"page {i}#3_0" for i in range(30)]
    told = {"question": "Which proofs do I bring?", "answer_spans": [_TEXT[:40]], "answer_starts": [0]}
    rows = [{"id": name, "doc_id": name, **told} for name in names]
    found = {seed.passage.document for seed in doc2dial_seeds(dict.fromkeys(names, _TEXT), rows)}
    assert found == {name for name in names if not is_held_out(name)}


def test_squad_answer_becomes_its_whole_sentence() -> None:
    row = {"id": "1", "title": "Lamp_oil", "passage": "Oil burns. It was sold in 1860 by Mr. Fox.", "answerable": True}
    (seed,) = squad_seeds([{**row, "question": "When?", "answer": "1860", "answer_start": 26}], "squad2")
    assert [seed.passage.sentences[i] for i in seed.answer] == ["It was sold in 1860 by Mr. Fox."]
    (none,) = squad_seeds([{**row, "answerable": False, "question": "Why?", "answer": "", "answer_start": -1}], "s")
    assert none.answer == ()


def test_follow_up_comes_with_what_was_said_before_it() -> None:
    history = [
        {"role": "customer", "content": "Which proofs do I bring?"},
        {"role": "agent", "content": "Two."},
    ]
    (name,) = [f"page {i}#3_0" for i in range(30) if not is_held_out(f"page {i}#3_0")][:1]
    told = {"question": "and how are the fees paid?", "answer_spans": [_TEXT[54:]], "answer_starts": [54]}
    (seed,) = doc2dial_seeds({name: _TEXT}, [{"id": "1", "doc_id": name, "history": history, **told}])
    assert seed.question == "and how are the fees paid?"
    assert seed.before == "Which proofs do I bring? Two."
    assert [seed.passage.sentences[i] for i in seed.answer] == ["Fees are paid by card at the counter."]


def test_gold_spans_side_by_side_are_one_answer() -> None:
    (name,) = [f"page {i}#3_0" for i in range(30) if not is_held_out(f"page {i}#3_0")][:1]
    told = {"question": "Which proofs and which fees?", "answer_spans": [_TEXT[:53], _TEXT[54:]]}
    (seed,) = doc2dial_seeds({name: _TEXT}, [{"id": "1", "doc_id": name, **told, "answer_starts": [0, 54]}])
    assert len(seed.answer) == 2


def test_long_answer_is_the_first_run_of_its_sentences() -> None:
    told = ["Lamps glow.", "They are warm.", "Shades are paper.", "Cords are linen."]
    output = [{"selected_sentences": [told[0], told[1], told[3]]}]
    row = {"input": "what are lamps", "passages": [{"title": "Lamps", "sentences": told}], "output": output}
    (seed,) = clapnq_seeds([row])
    assert seed.answer == (0, 1)


def test_prose_section_gives_questions_of_three_kinds() -> None:
    text = "Shop help\n\nReturns\n\nYou can return a new lamp within thirty days. The refund arrives after five days."
    seeds = list(prose_seeds([{"title": "Shop help", "text": text, "source": "help"}], random.Random(1)))
    assert {seed.source for seed in seeds} <= {"prose_headings", "prose_keywords", "prose_sentences"}
    assert {seed.source for seed in seeds} >= {"prose_headings", "prose_keywords"}
    assert all(seed.passage.sentences[0].startswith("You can return") for seed in seeds)
