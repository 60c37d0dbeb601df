"""``evaluate``: the product measured on golden questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from api import console_output as output
from api.bootstrap import Services
from api.commands.context import JsonOption, open_services
from domain.protocols import ProgressListener
from generator.evaluation import Figure, GoldenQuery, evaluate_retrieval, load_queries
from generator.evaluation import evaluate as evaluate_answers
from retriever.metrics import is_relevant, ndcg, recall_at_k, reciprocal_rank

_K = 5


def evaluate(
    queries: Annotated[Path, typer.Argument(help="Golden questions, one JSON object a line.", exists=True)],
    answers: Annotated[
        bool, typer.Option("--answers", help="Answer the questions too, and judge the answers.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure retrieval, and with --answers also the answers, on golden questions; means with 95 % intervals."""
    golden = load_queries(queries)
    with open_services() as services, output.progress_bar("Evaluating", visible=not as_json) as progress:
        report = _measure(services, golden, progress if answers else None)
    if as_json:
        output.emit_json(report)
    else:
        _print(report)


def _measure(services: Services, golden: list[GoldenQuery], answers: ProgressListener | None) -> dict[str, Any]:
    """JSON-able figures; ``answers`` is the listener of the answering, None leaves it out."""
    services.load_searching()
    measures: dict[str, Callable[[Sequence[bool]], float]] = {
        f"recall@{_K}": partial(recall_at_k, k=_K),
        "mrr": reciprocal_rank,
        f"ndcg@{_K}": partial(ndcg, k=_K),
    }
    retrieval = evaluate_retrieval(golden, services.retriever, is_relevant, measures, _K)
    report: dict[str, Any] = {"retrieval": {name: _figure(figure) for name, figure in retrieval.items()}}
    if answers is not None:
        services.load_answering()
        model = services.language_model
        report["model"] = model.name if model is not None and model.is_grounded else None
        report["answers"] = evaluate_answers(golden, services.agent, answers).to_dict()
    return report


def _figure(figure: Figure) -> dict[str, float]:
    return {"mean": figure.mean, "low": figure.low, "high": figure.high, "n": figure.n}


def _print(report: dict[str, Any]) -> None:
    columns = ("figure", "mean", "95 % interval", "n")
    output.table(columns, [_row(name, figure) for name, figure in report["retrieval"].items()], empty="")
    answers = report.get("answers")
    if answers is None:
        return
    output.say()
    output.table(columns, [_row(name, figure) for name, figure in answers["overall"].items()], empty="")
    for path, figures in answers["by_path"].items():
        output.say(f"\n{path}: {answers['paths'][path]} of {answers['queries']} answers")
        output.table(columns, [_row(name, figure) for name, figure in figures.items() if figure["n"]], empty="")
    output.say(f"\nTime to the complete answer: p50 {answers['latency_p50']:.2f} s, p95 {answers['latency_p95']:.2f} s")


def _row(name: str, figure: dict[str, float]) -> tuple[object, ...]:
    return (name, f"{figure['mean']:.3f}", f"{figure['low']:.3f} to {figure['high']:.3f}", int(figure["n"]))
