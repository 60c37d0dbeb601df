"""From records to figures: by path, opening or later, against the peers, and of refusing. Nothing here asks a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks._asking import Record
from generator.evaluation import summarise
from generator.metrics import bootstrap, compare, coverage_curve, roc_auc

_GROUPS: Mapping[str, Callable[[Record], bool]] = {
    "all": lambda _: True,
    "opening": lambda record: record.kind == "opening",
    "follow_up": lambda record: record.kind == "follow_up",
    "reply": lambda record: record.is_reply,
}
_WITHOUT_MEANING = ("facts", "facts_when_answered", "refused_share")  # nobody wrote facts; refusing is figured apart


@dataclass(frozen=True, slots=True)
class SmolLMFigures:
    """What SmolLM2 did: F1 by question; of each answer the share of 3-grams in the passages, and the seconds."""

    f1: Mapping[str, float]
    in_passages: Sequence[float]
    seconds: Sequence[float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "f1": asdict(bootstrap(list(self.f1.values()))),
            "in_passages": asdict(bootstrap(self.in_passages)),
            "seconds": asdict(bootstrap(self.seconds)),
        }


def answer_figures(records: Sequence[Record]) -> dict[str, Any]:
    """``summarise`` for each group of questions, with what gold spans and exact quotes add; means with intervals."""
    return {name: _group([r for r in records if belongs(r)]) for name, belongs in _GROUPS.items()}


def comparisons(records: Sequence[Record], smollm_f1: Mapping[str, float]) -> dict[str, Any]:
    """Ours against each peer on the same questions; F1, a refusal scoring 0. Documents are drawn whole."""
    found: dict[str, Any] = {}
    for name, belongs in _GROUPS.items():
        group = [record for record in records if belongs(record)]
        generated = [record for record in group if record.figures.path == "generated"]
        asked = [record for record in group if record.id in smollm_f1]
        found[name] = {
            "best_sentence": _compared(group, lambda r: r.sentence_f1 or 0.0),
            "quoting": _compared(group, _quoted_f1),
            "quoting_where_generated": _compared(generated, _quoted_f1),
            "smollm": _compared(asked, lambda r: smollm_f1[r.id]),
            "best_sentence_where_smollm": _compared(asked, lambda r: r.sentence_f1 or 0.0),
        }
    return found


def refusal_figures(records: Sequence[Record], without: Sequence[Record]) -> dict[str, Any]:
    """Each question asked with its document and, unanswerable by construction, without it."""
    refused = [float(not record.figures.answered) for record in without]
    answered = [float(record.figures.answered) for record in records]
    given = [(r.figures.confidence, True, r.is_right) for r in records if r.figures.answered]
    given += [(r.figures.confidence, False, False) for r in without if r.figures.answered]
    return {
        "refused_share": asdict(bootstrap(refused)),
        "answered_share": asdict(bootstrap(answered)),
        "auc": roc_auc([r.figures.confidence for r in records], [r.figures.confidence for r in without]),
        "auc_right": roc_auc(
            [r.figures.confidence for r in records if r.is_right],
            [r.figures.confidence for r in (*records, *without) if not r.is_right],
        ),
        "curve": [asdict(point) for point in coverage_curve(given, len(records))],
    }


def _group(records: Sequence[Record]) -> dict[str, Any]:
    report = summarise([record.figures for record in records]).to_dict()
    del report["answers"]
    for path, figures in (("", report["overall"]), *report["by_path"].items()):
        of_path = [record for record in records if path in ("", record.figures.path)]
        figures |= {name: asdict(bootstrap(values)) for name, values in _extra(of_path).items()}
        for name in _WITHOUT_MEANING:
            del figures[name]
    return report


def _extra(records: Sequence[Record]) -> dict[str, list[float]]:
    citing = [record for record in records if record.figures.citations]
    return {
        "quotes_exact": [record.quotes_exact / record.figures.citations for record in citing],
        "citation_overlap": [record.overlapping / record.figures.citations for record in citing],
        "gold_found": [float(record.gold_found) for record in records],
        "best_sentence_f1": [record.sentence_f1 or 0.0 for record in records],
        "quoting_f1": [_quoted_f1(record) for record in records],
        "window_f1": [record.window_f1 or 0.0 for record in records],
    }


def _quoted_f1(record: Record) -> float:
    return record.quoted.f1 if record.quoted else 0.0


def _compared(records: Sequence[Record], theirs: Callable[[Record], float]) -> dict[str, Any] | None:
    if not records:
        return None
    ours = [record.figures.f1 for record in records]
    return asdict(compare(ours, [theirs(r) for r in records], [r.document for r in records]))
