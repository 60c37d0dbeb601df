"""The report on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_FIGURES = {
    "answered_share": "answered",
    "f1": "F1, a refusal scores 0",
    "support": "3-grams of the answer in its quotes",
    "quotes_exact": "quotes exact",
    "citation_overlap": "citations on a gold span",
    "citation_verbatim": "citations that quote their sentence word for word",
    "citation_precision": "citations right as the golden questions judge",
    "gold_found": "gold span in a found passage",
    "best_sentence_f1": "F1 of the best sentence by MiniLM",
    "quoting_f1": "F1 of quoting our best sentences",
    "window_f1": "F1 of the best window in the first 3 passages",
}
_PEERS = {
    "best_sentence": "best sentence by MiniLM",
    "smollm": "SmolLM2 (its draw)",
    "best_sentence_where_smollm": "best sentence (on that draw)",
    "quoting": "quoting our best sentences",
    "quoting_where_generated": "quoting, where the GPT-2 spoke",
}


def print_report(console: Console, report: Mapping[str, Any]) -> None:
    console.print(
        f"\n{report['questions']} questions on {report['documents']} {report['side']} documents, "
        f"commit {report['commit']}, model {report['model']}"
    )
    for name, group in report["groups"].items():
        if group["queries"]:
            console.print(_group_table(name, group))
    console.print(_comparison_table(report["comparisons"]))
    smollm = report["smollm"]
    if smollm["f1"]["n"]:
        console.print(
            f"SmolLM2: F1 {_figure(smollm['f1'])}, 3-grams in the passages {_figure(smollm['in_passages'])}, "
            f"{smollm['seconds']['mean']:.1f} s an answer, n={smollm['f1']['n']}"
        )
    _print_refusal(console, report["refusal"])


def _group_table(name: str, group: Mapping[str, Any]) -> Table:
    paths = list(group["by_path"])
    table = Table(
        "figure", "all", *(f"{path} ({group['paths'][path]})" for path in paths), title=f"{name}: {group['queries']}"
    )
    for key, label in _FIGURES.items():
        columns = [group["overall"], *(group["by_path"][path] for path in paths)]
        table.add_row(label, *(_figure(column[key]) for column in columns))
    table.add_row("seconds, p50 / p95", f"{group['latency_p50']:.2f} / {group['latency_p95']:.2f}")
    return table


def _comparison_table(comparisons: Mapping[str, Any]) -> Table:
    table = Table("questions", "peer", "n", "ours", "peer's", "difference", "ratio", title="F1, paired")
    for name, peers in comparisons.items():
        for key, label in _PEERS.items():
            found = peers[key]
            if found is not None:
                table.add_row(
                    name,
                    label,
                    str(found["difference"]["n"]),
                    f"{found['ours']:.3f}",
                    f"{found['theirs']:.3f}",
                    _figure(found["difference"]),
                    _figure(found["ratio"]),
                )
    return table


def _print_refusal(console: Console, refusal: Mapping[str, Any]) -> None:
    console.print(
        f"Without their document: refused {_figure(refusal['refused_share'])}, n={refusal['refused_share']['n']}; "
        f"with it: answered {_figure(refusal['answered_share'])}. "
        f"AUC of the confidence: with against without {refusal['auc']:.3f}, "
        f"right against wrong {refusal['auc_right']:.3f}"
    )
    table = Table(
        "confidence from", "answerable answered", "answers on a gold span", title="Answering from a threshold on"
    )
    for point in refusal["curve"]:
        table.add_row(f"{point['threshold']:.3f}", f"{point['coverage']:.3f}", f"{point['precision']:.3f}")
    console.print(table)


def _figure(figure: Mapping[str, float]) -> str:
    return f"{figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})" if figure["n"] else "-"
