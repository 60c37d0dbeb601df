"""How fast the GPT-2 answers: our engine, transformers and CTranslate2 on the same checkpoints in one run.

    python -m benchmarks.generator_speed                  CPU: the shipped model, 28M and 124M shapes; half an hour
    python -m benchmarks.generator_speed --shapes         the shipped model alone; four minutes
    python -m benchmarks.generator_speed --quick          the shipped model, three prompts, once
    python -m benchmarks.generator_speed --device cuda    one and 64 streams of the 124M shape on a GPU

Prompts are grounded prompts of about 400 tokens, made of the sample shop's paragraphs. Everything is greedy. The
settings take turns, so that a busy machine is equally busy for all. Random weights say the full length and copy
nothing but themselves: only the shipped model shows what guessing ahead is worth.
Writes benchmarks/results/generator_speed.json (or generator_speed_cuda.json).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer

from benchmarks._generator_peers import (
    NEVER,
    CTranslate2,
    OurEngine,
    Transformers,
    machine,
    random_checkpoint,
    shop_questions,
    shop_texts,
)
from generator.engines.model_folder import ModelFolder, inspect_model_folder
from generator.engines.precision import best_precision
from generator.engines.static_cache import Gpt2
from generator.engines.weights import read_weights
from generator.prompt import Evidence, render_prompt

_ROOT = Path(__file__).resolve().parent.parent
_SHIPPED = _ROOT / "generator" / "models" / "answerdesk-gpt2"
_SHAPES = {"28M": (512, 6, 8, 16384), "124M": (768, 12, 12, 50257)}  # width, layers, heads, vocabulary
_PROMPT_TOKENS, _CUSTOMERS, _FORCED_TOKENS = 400, 8, 48
_BASELINE = "transformers float32"

Measured = dict[str, dict[str, Any]]


class Took(NamedTuple):
    """Seconds on the wall, and of processor time over all threads: the second one survives a busy machine."""

    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the shipped model only, three prompts, once")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--profile", action="store_true", help="with CUDA: print the kernels that take longest")
    parser.add_argument("--shapes", choices=_SHAPES, nargs="*", default=list(_SHAPES), help="beside the shipped model")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.device == "cuda":
        from benchmarks._generator_cuda import measure_cuda

        result = measure_cuda(arguments.quick, arguments.profile)
    else:
        torch.set_num_threads(arguments.threads)
        result = _measure_cpu(arguments.threads, arguments.quick, arguments.shapes)
    suffix = "_cuda" if arguments.device == "cuda" else ""
    path = _ROOT / "benchmarks" / "results" / f"generator_speed{suffix}.json"
    facts = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    path.write_text(json.dumps({**facts, "quick": arguments.quick, **result}, indent=2) + "\n", encoding="utf-8")
    print(f"Written to {path.relative_to(_ROOT)}")


def _measure_cpu(threads: int, quick: bool, shapes: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {"threads": threads}
    repeats, customers = (1, 3) if quick else (7, _CUSTOMERS)
    with tempfile.TemporaryDirectory() as holder:
        work = Path(holder)
        result["shipped"] = _measure_model(
            inspect_model_folder(_SHIPPED), work, threads, repeats, customers, is_random=False
        )
        for name, sizes in [(name, _SHAPES[name]) for name in shapes if not quick]:
            path = random_checkpoint(work, name, *sizes, like=_SHIPPED)
            result[name] = _measure_model(inspect_model_folder(path), work, threads, repeats, customers, is_random=True)
    return result


def _measure_model(
    folder: ModelFolder, work: Path, threads: int, repeats: int, customers: int, is_random: bool
) -> dict[str, Any]:
    tokenizer = Tokenizer.from_file(str(folder.tokenizer_file))
    end = NEVER if is_random else int(tokenizer.token_to_id(folder.end_token))
    prompts = _prompts(tokenizer, customers)
    most = _FORCED_TOKENS if is_random else 64
    engines: dict[str, Any] = {
        _BASELINE: Transformers(folder, end, torch.float32),
        "transformers bfloat16": Transformers(folder, end, torch.bfloat16),
        "CTranslate2 int8": CTranslate2(folder, end, threads, work),
    }
    weights = read_weights(folder)
    for dtype in dict.fromkeys((torch.float32, best_precision(torch.device("cpu")))):
        name = str(dtype).removeprefix("torch.")
        network = Gpt2(weights, dtype, torch.device("cpu"))
        engines[f"ours {name}"] = OurEngine(network, end, threads, draft_tokens=0)
        engines[f"ours {name} lookup"] = OurEngine(network, end, threads, draft_tokens=10)
    print(f"\n{folder.name}: {len(prompts)} prompts of {min(map(len, prompts))} to {max(map(len, prompts))} tokens")
    ours = list(engines)[-1]
    result = {
        "one_stream": _one_stream(engines, prompts, most, repeats),
        "eight_customers": _eight_customers(engines, prompts, most, repeats),
        "score": _scores({name: engines[name] for name in (_BASELINE, ours)}, prompts[:4], tokenizer, repeats),
    }
    print(_table(result["one_stream"], "one stream"))
    print(_table(result["eight_customers"], f"{len(prompts)} customers"))
    print(_table(result["score"], "score 12 continuations"))
    return result


def _prompts(tokenizer: Tokenizer, count: int) -> list[list[int]]:
    """Grounded prompts of about ``_PROMPT_TOKENS``, no two with the same evidence first."""
    texts = shop_texts(_ROOT / "examples" / "shop")
    prompts = []
    for i, question in enumerate(shop_questions(_ROOT / "tests" / "golden" / "queries.jsonl", count)):
        evidence: list[Evidence] = []
        ids: list[int] = []
        for text in texts[i * 3 :] + texts[: i * 3]:
            longer = tokenizer.encode(render_prompt(question, [*evidence, Evidence(text)])).ids
            if len(longer) > _PROMPT_TOKENS + 20:
                break
            evidence.append(Evidence(text))
            ids = longer
        prompts.append(list(ids))
    return prompts


def _one_stream(engines: dict[str, Any], prompts: Sequence[list[int]], most: int, repeats: int) -> Measured:
    """Seconds an answer, one after the other. Every prompt is new to an engine's cache when it is timed."""
    seconds: dict[str, list[Took]] = {name: [] for name in engines}
    said: dict[str, list[list[int]]] = {}
    for repeat in range(repeats + 1):
        for name, engine in engines.items():
            answers = []
            for prompt in prompts:
                took, answer = _timed(engine.generate, _stirred(prompt, repeat), most)
                answers.append(answer)
                if repeat:  # the first round warms up
                    seconds[name].append(took)
            said[name] = answers
    return _summary(seconds, said)


def _eight_customers(engines: dict[str, Any], prompts: Sequence[list[int]], most: int, repeats: int) -> Measured:
    """Seconds until eight customers who ask at once all have their answers; the peers answer one after the other."""
    runs: dict[str, Callable[[list[list[int]], int], list[list[int]]]] = {}
    for name, engine in engines.items():
        runs[f"{name}, in turn"] = partial(_in_turn, engine)
        if isinstance(engine, OurEngine):
            # A twin: the engine itself would know these prompts from answering them in turn.
            runs[f"{name}, together"] = engine.twin().together
    seconds: dict[str, list[Took]] = {name: [] for name in runs}
    said: dict[str, list[list[int]]] = {}
    for repeat in range(max(1, repeats // 2) + 1):
        for name, run in runs.items():
            stirred = [_stirred(prompt, repeat + 100) for prompt in prompts]
            took, said[name] = _timed(run, stirred, most)
            if repeat:
                seconds[name].append(took)
    best = min((name for name in runs if name.endswith("in turn")), key=lambda name: _p50(seconds[name]).wall)
    return _summary(seconds, said, baseline=best)


def _in_turn(engine: Any, prompts: Sequence[list[int]], most: int) -> list[list[int]]:
    return [engine.generate(prompt, most) for prompt in prompts]


def _scores(
    engines: dict[str, Any], prompts: Sequence[list[int]], tokenizer: Tokenizer, repeats: int
) -> dict[str, dict[str, Any]]:
    """Seconds to score twelve sentences after a prompt; ours also with the prompt's keys and values at hand."""
    texts = shop_texts(_ROOT / "examples" / "shop")[:12]
    continuations = [list(tokenizer.encode(f" {text}").ids[:40]) for text in texts]
    seconds: dict[str, list[Took]] = {}
    for repeat in range(repeats + 1):
        for prompt in prompts:
            stirred = _stirred(prompt, repeat + 200)
            for name, engine in engines.items():
                for suffix in ("", " again") if isinstance(engine, OurEngine) else ("",):
                    took, _ = _timed(engine.score, stirred, continuations)
                    if repeat:
                        seconds.setdefault(name + suffix, []).append(took)
    return _summary(seconds, {})


def _stirred(prompt: list[int], repeat: int) -> list[int]:
    """The prompt with another first token, so that no engine remembers its keys and values from the last repeat."""
    return [(prompt[0] + 1 + repeat) % 5000, *prompt[1:]]


def _timed(run: Callable[..., Any], *arguments: Any) -> tuple[Took, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run(*arguments)
    return Took(time.perf_counter() - wall, time.process_time() - cpu), result


def _summary(
    seconds: dict[str, list[Took]], said: dict[str, list[list[int]]], baseline: str = _BASELINE
) -> dict[str, dict[str, Any]]:
    reference = said.get(baseline)
    base = _p50(seconds[baseline])
    rows: dict[str, dict[str, Any]] = {}
    for name, values in seconds.items():
        p50 = _p50(values)
        rows[name] = {
            "p50_ms": round(p50.wall * 1000, 1),
            "speed_up": round(base.wall / p50.wall, 2),
            "cpu_p50_ms": round(p50.cpu * 1000, 1),
            "cpu_speed_up": round(base.cpu / p50.cpu, 2),
        }
        if reference is not None:
            rows[name]["tokens"] = sum(map(len, said[name]))
            same = sum(ours == theirs for ours, theirs in zip(said[name], reference, strict=True))
            rows[name]["same_text"] = f"{same}/{len(reference)}"
    rows[baseline]["is_baseline"] = True
    return rows


def _p50(values: Sequence[Took]) -> Took:
    return Took(median(took.wall for took in values), median(took.cpu for took in values))


def _table(rows: dict[str, dict[str, Any]], title: str) -> str:
    lines = [f"\n{title:<36} p50 ms  speed-up    cpu ms  speed-up  tokens  same text"]
    for name, row in rows.items():
        wall, cpu = f"{row['p50_ms']:>6}  {row['speed_up']:>8}", f"{row['cpu_p50_ms']:>8}  {row['cpu_speed_up']:>8}"
        figures = f"{wall}  {cpu}  {row.get('tokens', ''):>6}  {row.get('same_text', '')}"
        lines.append(f"{name:<36} {figures}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
