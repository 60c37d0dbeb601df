"""Fits calibrated refusal: ``python -m generator.train.refusal [options] FOLDER RECORDS.jsonl...``.

A record is what ``benchmarks.refusal_questions`` writes for a question: the confidence features of its parts, and
whether a found passage holds the answer. Each question is there twice, with its document in the knowledge base and
without. Writes ``refusal.json`` into FOLDER and logs what it reached. With ``--keep`` the weights that are there keep
their proportions, so that the order of the questions stays as it was: only a slope and a bias are fitted to their sum
(Platt 1999), and the confidence to answer from moves along. With ``--answered 0.9`` it is set so that nine in ten of
the questions that a found passage answers are answered. The calibration that goes with a reader has four features:
``--features read,read_next,margin,declined --without 0.33``.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generator.metrics import roc_auc
from generator.refusal import REFUSAL_FILE

FEATURES = (
    "sentence",
    "margin",
    "sentence_cosine",
    "top_cosines",
    "gap",
    "least_cover",
    "mean_cover",
    "holds_answer_type",
    "search",
    "read",
    "read_next",
    "declined",
)
_PENALTY = 0.01  # of squared weights of standardised features
_FOLDS = 5
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labelled:
    """``group`` (the document) is never split between folds. ``right``: a found passage holds the answer.

    ``is_asked_again``: the question stands there with its document too.
    """

    group: str
    features: tuple[float, ...]
    right: bool
    is_asked_again: bool = False


def read_records(path: Path, names: Sequence[str] = FEATURES) -> list[Labelled]:
    """Questions of one part that was judged; courtesies and questions declined at the door have none."""
    rows: list[Labelled] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row: Mapping[str, Any] = json.loads(line)
        if len(row["parts"]) == 1:
            features = tuple(float(row["parts"][0][name]) for name in names)
            rows.append(Labelled(str(row["document"]), features, bool(row["gold_found"]), bool(row.get("without"))))
    return rows


def fit(rows: Sequence[Labelled], without: float = 1.0) -> tuple[float, NDArray[np.float64]]:
    """Bias and weights (of the features as they come) of an L2-penalised logistic regression.

    Args:
        without: how much a question counts that is asked again without its document. Another document may answer it,
            and there are as many of these as of all questions with an answer.
    """
    x, y = np.array([row.features for row in rows]), np.array([row.right for row in rows], dtype=np.float64)
    mean, scale = x.mean(0), x.std(0) + 1e-9
    inputs, wanted = torch.from_numpy((x - mean) / scale), torch.from_numpy(y)
    counts = torch.tensor([without if row.is_asked_again else 1.0 for row in rows], dtype=torch.float64)
    counts /= counts.mean()
    weights = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            inputs @ weights + bias, wanted, counts / counts.mean()
        )
        loss = loss + _PENALTY * (weights**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's is untyped  # torch leaves it untyped
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch's is untyped
    slopes: NDArray[np.float64] = weights.detach().numpy() / scale
    return float(bias.item() - slopes @ mean), slopes


def predict(bias: float, weights: NDArray[np.float64], rows: Sequence[Labelled]) -> NDArray[np.float64]:
    logits = bias + np.array([row.features for row in rows]) @ weights
    probabilities: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return probabilities


def cross_validated(rows: Sequence[Labelled], without: float = 1.0) -> NDArray[np.float64]:
    """Each row's probability by a fit that never saw its group."""
    groups = sorted({row.group for row in rows})
    fold_of = {group: n % _FOLDS for n, group in enumerate(groups)}
    found = np.zeros(len(rows))
    for fold in range(_FOLDS):
        held = [i for i, row in enumerate(rows) if fold_of[row.group] == fold]
        model = fit([row for row in rows if fold_of[row.group] != fold], without)
        found[held] = predict(*model, [rows[i] for i in held])
    return found


def curve(probabilities: NDArray[np.float64], rows: Sequence[Labelled]) -> list[tuple[float, float, float]]:
    """(confidence, answered share, wrong share of the answers) at every fiftieth of the questions, rising."""
    right = np.array([row.right for row in rows])
    points = []
    for share in np.linspace(0.0, 0.96, 49):
        confidence = float(np.quantile(probabilities, share))
        kept = probabilities >= confidence
        points.append((round(confidence, 4), round(float(kept.mean()), 4), round(float(1 - right[kept].mean()), 4)))
    return points


def calibration_error(probabilities: NDArray[np.float64], rows: Sequence[Labelled], bins: int = 10) -> float:
    """Expected calibration error: by how much confidence and share of right ones differ, over bins of equal width."""
    right = np.array([row.right for row in rows])
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [abs(float((probabilities - right)[bin_of == b].sum())) for b in range(bins)]
    return sum(gaps) / len(rows)


def _share_below(probabilities: NDArray[np.float64], chosen: Sequence[bool], confidence: float) -> float | None:
    return round(float((probabilities[np.array(chosen)] < confidence).mean()), 4) if any(chosen) else None


def _sigmoid(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))


def main(
    folder: Path,
    records: Sequence[Path],
    keep: bool = False,
    names: Sequence[str] = FEATURES,
    answered: float | None = None,
    without: float = 1.0,
) -> None:
    rows = [row for path in records for row in read_records(path, names)]
    file = folder / REFUSAL_FILE
    before: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"refuse_below": 0.5}
    refuse_below = float(before["refuse_below"])
    if keep:
        known = np.array([before["weights"].get(name, 0.0) for name in names])
        sums = [before["bias"] + float(np.array(row.features) @ known) for row in rows]
        shift, slope = fit([replace(row, features=(total,)) for row, total in zip(rows, sums, strict=True)])
        bias, weights = shift + slope[0] * before["bias"], slope[0] * known
        refuse_below = _sigmoid(shift + slope[0] * math.log(refuse_below / (1.0 - refuse_below)))
        held = predict(bias, weights, rows)
    else:
        bias, weights = fit(rows, without)
        held = cross_validated(rows, without)
    right = np.array([row.right for row in rows])
    if answered is not None:
        refuse_below = float(np.quantile(held[right], 1.0 - answered))
    facts = {
        "bias": round(bias, 4),
        "weights": {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True) if weight},
        "refuse_below": round(refuse_below, 4),
        "questions": len(rows),
        "right": int(right.sum()),
        "auc": round(roc_auc(held[right].tolist(), held[~right].tolist()), 4),
        "calibration_error": round(calibration_error(held, rows), 4),
        "refused": round(float((held[~right] < refuse_below).mean()), 4),
        "near_misses_refused": _share_below(held, [not r.right and not r.is_asked_again for r in rows], refuse_below),
        "curve": curve(held, rows),
    }
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    logger.info("fitted %s", json.dumps({name: value for name, value in facts.items() if name != "curve"}))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where refusal.json goes")
    parser.add_argument("records", type=Path, nargs="+", help="what benchmarks.refusal_questions wrote")
    parser.add_argument("--keep", action="store_true", help="keep the weights' proportions")
    parser.add_argument("--features", default=",".join(FEATURES), help="names, with commas between them")
    parser.add_argument("--answered", type=float, help="share of the questions with an answer that is to be answered")
    parser.add_argument("--without", type=float, default=1.0, help="how much a question without its document counts")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parse()
    names = options.features.split(",")
    main(options.folder, options.records, options.keep, names, options.answered, options.without)
