"""Trees of candidates score exactly what one pass a candidate would, and the right path is the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerBase

from generator.dataset import GroundedExample
from generator.prompt import Evidence, MarkedSentence
from generator.train.candidate_trees import Tree, choice_tree, log_likelihoods
from generator.train.choices import PackedChoices, Vocabulary, as_choice
from generator.train.tokenizer import train_tokenizer

_EVIDENCE = (
    Evidence("The cable is two metres long. It is grey. You can order [a] longer one.", "Heron: cables"),
    Evidence("Bulbs are sold in pairs."),
)


def _example(*told: tuple[str, int], reply: str = "") -> GroundedExample:
    answer = tuple(MarkedSentence(reply or text, (mark,)) for text, mark in told)
    return GroundedExample("shop", "lamps", "How long is the cable?", _EVIDENCE, answer)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return train_tokenizer([_example().prompt()] * 3, 300)


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerBase) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=2)
    return GPT2LMHeadModel._from_config(config, attn_implementation="eager").eval()


def test_candidates_are_the_sentences_as_the_tokenizer_writes_them(tokenizer: PreTrainedTokenizerBase) -> None:
    choice = as_choice(_example(("It is grey.", 1)), tokenizer)
    assert choice is not None
    told = ["The cable is two metres long.", "It is grey.", "You can order (a) longer one.", "Bulbs are sold in pairs."]
    for (start, end, _), text in zip(choice.sentences, told, strict=True):
        assert list(choice.prompt[start:end]) == tokenizer.encode(f" {text}")
    assert [mark for _, _, mark in choice.sentences] == [1, 1, 1, 2]
    assert list(choice.said) == [1]


def test_answer_in_a_persons_own_words_is_no_choice(tokenizer: PreTrainedTokenizerBase) -> None:
    assert as_choice(_example(("It is grey.", 1), reply="Grey, I believe."), tokenizer) is None


def test_tree_scores_each_candidate_as_if_it_stood_alone(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    choice = as_choice(_example(("The cable is two metres long.", 1), ("Bulbs are sold in pairs.", 2)), tokenizer)
    assert choice is not None
    tree, steps = choice_tree(choice, Vocabulary.of(tokenizer))
    nodes = [node for found, _ in steps for node in found]
    short = Tree(tokenizer.encode("Question: x\nAnswer:"))  # a shorter row beside it: padding must not count
    lone = short.branch(short.root(), tokenizer.encode(" [0]"))
    (scores, _) = log_likelihoods(model, [tree, short], [nodes, [lone]])
    told = ["The cable is two metres long.", "It is grey.", "You can order (a) longer one.", "Bulbs are sold in pairs."]
    said = [f" {told[0]} [1]", f" {told[3]} [2]"]
    candidates = [(0, f" {text}") for text in told] + [(0, " [0]")]
    candidates += [(1, f" {text}") for text in told[1:]] + [(1, tokenizer.eos_token)]
    candidates += [(2, f" {text}") for text in told[1:3]] + [(2, tokenizer.eos_token)]
    prompt = _example().prompt()
    expected = [_alone(model, tokenizer, "".join((prompt, *said[:step])), text) for step, text in candidates]
    # The trees are read in bfloat16, whose sums differ in the third digit.
    assert scores.tolist() == pytest.approx(expected, rel=0.01)
    assert [right for _, right in steps] == [0, 2, 2]


def test_only_the_opening_words_of_a_long_candidate_are_judged(tokenizer: PreTrainedTokenizerBase) -> None:
    long = "The glass of the heron lamp is blown by hand in the old town, so no two are alike."
    answer = (MarkedSentence(long, (1,)),)
    choice = as_choice(GroundedExample("s", "d", "Which?", (Evidence(long),), answer), tokenizer)
    assert choice is not None
    _, steps = choice_tree(choice, Vocabulary.of(tokenizer))
    node = steps[0][0][0]
    assert node.opening == len(tokenizer.encode(" The glass of the heron lamp is blown"))
    assert len(node.scored) == len(tokenizer.encode(f" {long} [1]"))


def test_steps_after_the_first_can_be_thinned_out(tokenizer: PreTrainedTokenizerBase) -> None:
    many = " ".join(f"Lamp {i} is sold." for i in range(12))
    answer = (MarkedSentence("Lamp 7 is sold.", (1,)), MarkedSentence("Lamp 3 is sold.", (1,)))
    choice = as_choice(GroundedExample("s", "d", "Which?", (Evidence(many),), answer), tokenizer)
    assert choice is not None
    for seed in range(5):
        _, steps = choice_tree(choice, Vocabulary.of(tokenizer), np.random.default_rng(seed))
        assert len(steps[0][0]) == 13
        assert 4 <= len(steps[1][0]) <= 5
        assert steps[1][1] < len(steps[1][0]) - 1
        assert steps[2][1] == len(steps[2][0]) - 1


def test_choices_survive_the_disk(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    kept = [as_choice(_example(*told), tokenizer) for told in ((), (("It is grey.", 1),))]
    choices = [choice for choice in kept if choice is not None]
    PackedChoices.of(choices).save(tmp_path / "choices.npz")
    loaded = PackedChoices.load(tmp_path / "choices.npz")
    assert len(loaded) == len(choices) == 2
    for i, choice in enumerate(choices):
        assert list(loaded[i].prompt) == list(choice.prompt)
        assert [tuple(part) for part in loaded[i].sentences] == list(choice.sentences)
        assert list(loaded[i].said) == list(choice.said)


@torch.no_grad()
def _alone(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase, prompt: str, text: str) -> float:
    before, after = tokenizer.encode(prompt), tokenizer.encode(text)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.tensor([before + after])).logits[0].float()
    told = logits.log_softmax(-1)[len(before) - 1 : -1]
    return float(told[torch.arange(len(after)), torch.tensor(after)].sum())
