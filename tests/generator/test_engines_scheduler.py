from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from domain.errors import AnswerdeskError, ModelUnsuitable, Unavailable
from generator.engines.decoder import Decoder, Pending
from generator.engines.jobs import Generation, Scoring
from generator.engines.model_folder import ModelFolder
from generator.engines.scheduler import Scheduler
from generator.engines.static_cache import Gpt2
from generator.engines.weights import read_weights
from tests.generator.tiny_gpt2 import END, reference_greedy, reference_score, save_tiny_gpt2

CURSED = 33  # a prompt with this token fails in the forward
PROMPTS = [[7, 8, 9, 10, 7, 8], [11, 12], [13, 14, 15, 16, 17, 18, 19], [20], [21, 22, 23], [24, 25, 24, 25, 24]]


class WatchedDecoder(Decoder):
    """Counts what it computes, fails where told to, and can be held at a step."""

    def __init__(self, network: Gpt2, slots: int) -> None:
        super().__init__(network, slots)
        self.forwards = 0
        self.filled: list[int] = []
        self.batches: list[int] = []
        self.may_step = threading.Event()
        self.may_step.set()
        self.is_out_of_memory = False
        self.fault: type[Exception] = RuntimeError

    def fill(self, slot: int, tokens: Sequence[int], start: int) -> None:
        if CURSED in tokens:
            raise self.fault("a forward that cannot be")
        self.filled.append(len(tokens))
        super().fill(slot, tokens, start)

    def advance(self, pending: Mapping[int, Pending], steps: int) -> dict[int, list[int]]:
        self._note(pending)
        return super().advance(pending, steps)

    def verify(self, pending: Mapping[int, Pending]) -> dict[int, list[int]]:
        self._note(pending)
        return super().verify(pending)

    def _note(self, pending: Mapping[int, Pending]) -> None:
        self.may_step.wait(30)
        self.forwards += 1
        self.batches.append(len(pending))
        if self.is_out_of_memory:
            self.is_out_of_memory = False
            raise torch.OutOfMemoryError("no room")


class House:
    """A scheduler over a watched decoder."""

    def __init__(self, folder: ModelFolder, slots: int = 3, draft_tokens: int = 0, steps: int = 1) -> None:
        self.decoder = WatchedDecoder(Gpt2(read_weights(folder), torch.float32, torch.device("cpu")), slots)
        self.scheduler = Scheduler(self.decoder, END, threads=1, draft_tokens=draft_tokens, steps=steps)

    def begin(self, prompt: list[int], most: int) -> Generation:
        job = Generation(prompt, most)
        self.scheduler.submit(job)
        return job

    def say(self, prompt: list[int], most: int = 20) -> list[int]:
        return heard(self.begin(prompt, most))

    def score(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        job = Scoring(prompt, continuations)
        self.scheduler.submit(job)
        scores = job.mailbox.get(timeout=30)
        if isinstance(scores, AnswerdeskError):
            raise scores
        return scores


def heard(job: Generation) -> list[int]:
    tokens: list[int] = []
    while (said := job.mailbox.get(timeout=30)) is not None:
        if isinstance(said, AnswerdeskError):
            raise said
        tokens += said
    return tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return save_tiny_gpt2(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def house(folder: ModelFolder) -> Iterator[House]:
    house = House(folder)
    yield house
    house.decoder.may_step.set()
    house.scheduler.close()


def greedy(folder: ModelFolder, prompt: list[int], tokens: int = 20) -> list[int]:
    return [token for token in reference_greedy(folder, prompt, tokens) if token != END]


@pytest.mark.parametrize(("draft_tokens", "steps"), [(0, 1), (0, 7), (6, 1)])
def test_many_at_once_in_few_slots_get_what_each_would_get_alone(
    folder: ModelFolder, draft_tokens: int, steps: int
) -> None:
    house = House(folder, slots=2, draft_tokens=draft_tokens, steps=steps)
    with ThreadPoolExecutor(len(PROMPTS)) as threads:
        said = list(threads.map(house.say, PROMPTS))
    assert said == [greedy(folder, prompt) for prompt in PROMPTS]
    house.scheduler.close()


def test_drafts_save_forwards_and_change_nothing(folder: ModelFolder) -> None:
    plain, drafted = House(folder), House(folder, draft_tokens=8)
    prompt = PROMPTS[0]
    prompt = prompt + greedy(folder, prompt, 30) + prompt  # the text that it will repeat
    assert drafted.say(prompt, 30) == plain.say(prompt, 30)
    assert drafted.decoder.forwards < plain.decoder.forwards
    plain.scheduler.close()
    drafted.scheduler.close()


def test_a_latecomer_joins_the_running_batch(folder: ModelFolder, house: House) -> None:
    house.decoder.may_step.clear()
    jobs = [house.begin(PROMPTS[0], 20)]
    jobs.append(house.begin(PROMPTS[1], 20))
    house.decoder.may_step.set()
    assert [heard(job) for job in jobs] == [greedy(folder, prompt) for prompt in PROMPTS[:2]]
    assert 2 in house.decoder.batches


def test_at_most_the_asked_tokens_are_said_however_many_come_at_once(folder: ModelFolder) -> None:
    house = House(folder, steps=16)
    assert house.say(PROMPTS[0], 5) == greedy(folder, PROMPTS[0], 5)
    house.scheduler.close()


def test_cancelling_frees_the_slot_for_those_who_wait(folder: ModelFolder) -> None:
    house = House(folder, slots=1)
    house.decoder.may_step.clear()
    hog, waiting = house.begin(PROMPTS[0], 80), house.begin(PROMPTS[1], 4)
    hog.is_cancelled = True
    house.decoder.may_step.set()
    assert heard(waiting) == greedy(folder, PROMPTS[1], 4)
    assert house.decoder.forwards < 20
    house.scheduler.close()


def test_cancelled_while_waiting_is_never_computed(folder: ModelFolder) -> None:
    house = House(folder, slots=1)
    house.decoder.may_step.clear()
    running, given_up = house.begin(PROMPTS[0], 4), house.begin(PROMPTS[2], 4)
    given_up.is_cancelled = True
    house.decoder.may_step.set()
    heard(running)
    house.say(PROMPTS[1], 4)
    assert house.decoder.filled == [len(PROMPTS[0]) - 1, len(PROMPTS[1]) - 1]
    house.scheduler.close()


@pytest.mark.parametrize("fault", [RuntimeError, IndexError, NotImplementedError])
def test_a_failing_prompt_fails_alone(folder: ModelFolder, house: House, fault: type[Exception]) -> None:
    house.decoder.fault = fault
    house.decoder.may_step.clear()
    neighbour, cursed = house.begin(PROMPTS[0], 20), house.begin([CURSED, 5], 20)
    house.decoder.may_step.set()
    with pytest.raises(Unavailable, match="failed on this question"):
        heard(cursed)
    assert heard(neighbour) == greedy(folder, PROMPTS[0])


def test_running_out_of_memory_ends_the_batch_and_not_the_engine(folder: ModelFolder, house: House) -> None:
    house.decoder.is_out_of_memory = True
    with pytest.raises(Unavailable):
        house.say(PROMPTS[0])
    assert house.say(PROMPTS[0]) == greedy(folder, PROMPTS[0])


def test_overflow_in_one_row_is_an_error_there_and_nowhere_else(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = save_tiny_gpt2(tmp_path_factory.mktemp("models") / "wild", tie_word_embeddings=False)
    house = House(folder)
    house.decoder.network.tokens[40] = 1e30  # finite, but its square is not
    with pytest.raises(ModelUnsuitable, match="not finite"):
        house.say([7, 40, 8])
    with pytest.raises(ModelUnsuitable, match="not finite"):
        house.score([7, 40, 8], [[5, 6]])
    assert house.say(PROMPTS[0]) == greedy(folder, PROMPTS[0])
    house.scheduler.close()


def test_a_prompt_that_extends_the_one_before_costs_its_new_tokens(folder: ModelFolder, house: House) -> None:
    prompt = [3 + i % 40 for i in range(30)]
    house.score(prompt, [[5, 6]])
    longer = [*prompt, 41, 42, 43]
    expected = [reference_score(folder, longer, tokens) for tokens in ([9, 8], [END])]
    assert house.score(longer, [[9, 8], [END]]) == pytest.approx(expected, abs=1e-3)
    assert house.decoder.filled == [29, 2]


def test_prompts_of_two_customers_in_turn_are_both_kept(folder: ModelFolder, house: House) -> None:
    one, other = [3 + i for i in range(30)], [32 - i for i in range(30)]
    for prompt in (one, other, one, other):
        house.score(prompt, [[5]])
    assert house.decoder.filled == [29, 29, 0, 0]


def test_scoring_and_generating_do_not_disturb_each_other(folder: ModelFolder, house: House) -> None:
    with ThreadPoolExecutor(4) as threads:
        said = [threads.submit(house.say, prompt) for prompt in PROMPTS[:3]]
        scores = [threads.submit(house.score, prompt, [[5, 6], [END]]) for prompt in PROMPTS[:3]]
        for prompt, tokens, values in zip(PROMPTS, said, scores, strict=False):
            assert tokens.result(30) == greedy(folder, prompt)
            expected = [reference_score(folder, prompt, list(asked)) for asked in ((5, 6), (END,))]
            assert values.result(30) == pytest.approx(expected, abs=1e-3)


def test_close_finishes_what_was_asked_and_refuses_the_rest(folder: ModelFolder, house: House) -> None:
    house.decoder.may_step.clear()
    job = house.begin(PROMPTS[0], 10)
    closing = threading.Thread(target=house.scheduler.close)
    closing.start()
    house.decoder.may_step.set()
    assert heard(job) == greedy(folder, PROMPTS[0], 10)
    closing.join(30)
    assert not closing.is_alive()
    with pytest.raises(Unavailable, match="shut down"):
        house.begin(PROMPTS[0], 10)


def test_close_without_a_request_ends_at_once(folder: ModelFolder) -> None:
    House(folder).scheduler.close()
