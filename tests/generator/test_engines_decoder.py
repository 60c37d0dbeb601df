from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from domain.errors import ModelMissing, ModelUnsuitable
from generator.engines.decoder import NOT_FINITE, Decoder, Pending
from generator.engines.lookup import PromptLookup
from generator.engines.model_folder import ModelFolder
from generator.engines.slots import Slots
from generator.engines.weights import read_weights
from tests.generator.tiny_gpt2 import (
    CONTEXT,
    VOCABULARY,
    describe,
    reference_greedy,
    reference_score,
    save_tiny_gpt2,
    tiny_decoder,
)

PROMPTS = [[7, 8, 9, 10], [11, 12], [13, 14, 15, 16, 17, 18, 19], [20]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return save_tiny_gpt2(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(autouse=True)
def _inference() -> object:
    with torch.inference_mode():
        yield


class CapturedOnPaper:
    """Says that steps are captured and runs them: the shapes and slots of the CUDA path, on the CPU."""

    is_captured = True

    def __init__(self) -> None:
        self.keys: list[Hashable] = []

    def __call__(self, key: Hashable, step: Callable[[], None]) -> None:
        self.keys.append(key)
        step()


def _fill(decoder: Decoder, slot: int, prompt: list[int]) -> Pending:
    decoder.fill(slot, prompt[:-1], 0)
    return Pending(prompt[-1], len(prompt) - 1)


def _until_end(tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(0) + 1] if 0 in tokens else tokens


def test_a_batch_of_different_lengths_says_what_transformers_says_to_each(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    said = decoder.advance({slot: _fill(decoder, slot, prompt) for slot, prompt in enumerate(PROMPTS)}, steps=12)
    for slot, prompt in enumerate(PROMPTS):
        assert _until_end(said[slot]) == reference_greedy(folder, prompt, 12)


def test_captured_shapes_say_the_same_and_are_few(folder: ModelFolder) -> None:
    runner = CapturedOnPaper()
    decoder = tiny_decoder(folder, slots=4, runner=runner)
    said = decoder.advance({slot: _fill(decoder, slot, PROMPTS[slot]) for slot in (0, 2)}, steps=12)
    for slot in (0, 2):
        assert _until_end(said[slot]) == reference_greedy(folder, PROMPTS[slot], 12)
    assert len(set(runner.keys)) == 1


def test_steps_in_two_halves_equal_steps_at_once(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    once = decoder.advance({1: _fill(decoder, 1, PROMPTS[0])}, steps=8)[1]
    first = decoder.advance({1: _fill(decoder, 1, PROMPTS[0])}, steps=4)[1]
    second = decoder.advance({1: Pending(first[-1], len(PROMPTS[0]) + 3)}, steps=4)[1]
    assert first + second == once


def test_steps_leave_the_slots_between_untouched(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    between = _fill(decoder, 1, PROMPTS[2])
    decoder.advance({0: _fill(decoder, 0, PROMPTS[0]), 2: _fill(decoder, 2, PROMPTS[1])}, steps=8)
    assert _until_end(decoder.advance({1: between}, steps=5)[1]) == reference_greedy(folder, PROMPTS[2], 5)


@pytest.mark.parametrize("right", [0, 1, 3])
def test_verifying_keeps_what_greedy_would_have_said_and_adds_one(folder: ModelFolder, right: int) -> None:
    decoder = tiny_decoder(folder)
    truth = decoder.advance({0: _fill(decoder, 0, PROMPTS[0])}, steps=4)[0]
    draft = [*truth[:right], (truth[right] + 1) % VOCABULARY, 5]
    start = _fill(decoder, 2, PROMPTS[0])
    assert decoder.verify({2: Pending(start.token, start.position, draft)})[2] == truth[: right + 1]


def test_rejected_drafts_leave_no_trace(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    truth = decoder.advance({0: _fill(decoder, 0, PROMPTS[0])}, steps=6)[0]
    start = _fill(decoder, 0, PROMPTS[0])
    [said] = decoder.verify({0: Pending(start.token, start.position, [(truth[0] + 1) % VOCABULARY, 5, 6])})[0]
    assert [said, *decoder.advance({0: Pending(said, start.position + 1)}, steps=5)[0]] == truth


def test_the_last_position_of_the_context_can_be_reached_and_passed_without_harm(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    prompt = [3 + i % 50 for i in range(CONTEXT - 2)]
    said = decoder.advance({0: _fill(decoder, 0, prompt)}, steps=8)[0]
    expected = reference_greedy(folder, prompt, 2)
    assert said[: len(expected)] == expected


def test_scores_equal_transformers_log_probabilities(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    continuations = [[5, 6, 7], [0], [21], [5, 6, 8, 9, 10, 11, 12], [5, 6, 7]]
    decoder.fill(3, PROMPTS[2][:-1], 0)
    expected = [reference_score(folder, PROMPTS[2], tokens) for tokens in continuations]
    assert decoder.score(3, PROMPTS[2], continuations) == pytest.approx(expected, abs=1e-3)


def test_more_candidates_than_one_forward_holds_score_as_alone(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    continuations = [[3 + (i + j) % 50 for j in range(20)] for i in range(40)]
    decoder.fill(0, PROMPTS[0][:-1], 0)
    together = decoder.score(0, PROMPTS[0], continuations)
    alone = [decoder.score(0, PROMPTS[0], [tokens])[0] for tokens in continuations]
    assert together == pytest.approx(alone, abs=1e-3)


def test_bfloat16_scores_are_near(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder, bf16=True)
    decoder.fill(0, PROMPTS[0][:-1], 0)
    assert decoder.score(0, PROMPTS[0], [[5, 6]])[0] == pytest.approx(
        reference_score(folder, PROMPTS[0], [5, 6]), abs=0.3
    )


def test_numbers_that_are_none_are_flagged_and_stay_in_their_row(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder)
    poisoned, clean = _fill(decoder, 0, PROMPTS[0]), _fill(decoder, 1, PROMPTS[1])
    decoder._cache.states[0, 0, 0] = float("nan")
    said = decoder.advance({0: poisoned, 1: clean}, steps=3)
    assert said[0] == [NOT_FINITE] * 3
    assert _until_end(said[1]) == reference_greedy(folder, PROMPTS[1], 3)
    decoder.clear(0)
    assert _until_end(decoder.advance({0: _fill(decoder, 0, PROMPTS[1])}, steps=3)[0]) == _until_end(said[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_captured_graphs_say_what_the_cpu_says(folder: ModelFolder) -> None:
    decoder = tiny_decoder(folder, device="cuda")
    for _ in range(2):  # capture, then replay
        said = decoder.advance({slot: _fill(decoder, slot, prompt) for slot, prompt in enumerate(PROMPTS)}, steps=12)
        for slot, prompt in enumerate(PROMPTS):
            assert _until_end(said[slot]) == reference_greedy(folder, prompt, 12)


def _edit_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], None]) -> ModelFolder:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return describe(folder)


def test_weights_that_are_not_finite_are_unsuitable(tmp_path: Path) -> None:
    save_tiny_gpt2(tmp_path / "m")

    def poison(tensors: dict[str, torch.Tensor]) -> None:
        tensors["transformer.h.1.mlp.c_fc.weight"][3, 3] = float("inf")

    with pytest.raises(ModelUnsuitable, match=r"h\.1\.mlp\.c_fc\.weight .* not finite"):
        read_weights(_edit_weights(tmp_path / "m", poison))


def test_a_missing_weight_is_named_not_made_up(tmp_path: Path) -> None:
    save_tiny_gpt2(tmp_path / "m")

    def lose(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["transformer.h.1.ln_2.bias"]

    with pytest.raises(ModelMissing, match=r"Weights are missing in m: h\.1\.ln_2\.bias"):
        read_weights(_edit_weights(tmp_path / "m", lose))


def test_a_weight_of_another_shape_is_named(tmp_path: Path) -> None:
    save_tiny_gpt2(tmp_path / "m")

    def shorten(tensors: dict[str, torch.Tensor]) -> None:
        tensors["transformer.wpe.weight"] = tensors["transformer.wpe.weight"][:10].clone()

    with pytest.raises(ModelMissing, match=r"wpe\.weight of m has shape \(10, 32\)"):
        read_weights(_edit_weights(tmp_path / "m", shorten))


def test_names_without_the_usual_prefix_and_an_untied_head_are_read(tmp_path: Path) -> None:
    save_tiny_gpt2(tmp_path / "m", tie_word_embeddings=False)

    def rename(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("transformer.")]:
            tensors[name.removeprefix("transformer.")] = tensors.pop(name)

    before = read_weights(describe(tmp_path / "m"))
    after = read_weights(_edit_weights(tmp_path / "m", rename))
    assert torch.equal(before.head, after.head)
    assert not torch.equal(after.head, after.tokens)


def test_a_variant_that_is_not_computed_is_unsuitable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsuitable, match="relu"):
        read_weights(save_tiny_gpt2(tmp_path / "m", activation_function="relu"))


def test_lookup_proposes_what_followed_the_same_words() -> None:
    lookup = PromptLookup([1, 2, 3, 4, 5, 9, 2, 3])
    assert lookup.draft(2) == [4, 5]
    lookup.extend([4])
    assert lookup.draft(9) == [5, 9, 2, 3, 4]


def test_lookup_prefers_the_longest_then_the_latest_precedent() -> None:
    assert PromptLookup([1, 2, 3, 8, 2, 3, 9, 1, 2, 3]).draft(1) == [8]
    assert PromptLookup([2, 3, 8, 2, 3, 9, 2, 3]).draft(1) == [9]


def test_lookup_without_a_precedent_proposes_nothing() -> None:
    assert PromptLookup([]).draft(4) == []
    assert PromptLookup([1, 2, 3]).draft(4) == []


def test_slot_with_the_longest_common_beginning_is_taken() -> None:
    slots = Slots(3)
    text = list(range(100, 140))
    for held in (text, text[:20], [1, 2]):
        slot, _ = slots.take([])
        slots.give_back(slot, held)
    slot, held_tokens = slots.take([*text, 5, 6])
    assert held_tokens == 40
    assert slots.take([*text, 5, 6])[1] == 20


def test_slot_given_back_longest_ago_is_overwritten_first() -> None:
    slots = Slots(2)
    first, _ = slots.take([1])
    slots.give_back(first, list(range(50)))
    second, held = slots.take(list(range(60, 90)))
    assert second != first
    assert held == 0


def test_a_batch_grows_beside_itself_or_from_slot_0() -> None:
    slots = Slots(8)
    first, _ = slots.take([1])
    second, _ = slots.take([2])
    assert abs(first - second) == 1
    low = Slots(8, prefer_low=True)
    assert [low.take([n])[0] for n in range(3)] == [0, 1, 2]
