"""What a run has behind it before its record: training that ended, evaluators that are done. A retry starts from there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dalr_bench.record.files import load_json, write_json
from dalr_bench.record.predictions import write_predictions
from dalr_bench.record.record import scores_from_json, scores_to_json
from dalr_bench.types import Evaluation

TRAINED = "trained.json"
_PARTIAL = "scored"


def write_trained(folder: Path, summary: Mapping[str, Any]) -> None:
    """`trained.json`: written after the weights; `weights` is their sha256."""
    write_json(folder / TRAINED, dict(summary))


def read_trained(folder: Path, weights: str | None) -> dict[str, Any] | None:
    """What `write_trained` wrote, if the weights on disk are those it speaks of."""
    try:
        summary = load_json(folder / TRAINED)
    except (OSError, ValueError):
        return None
    known = isinstance(summary, dict) and weights is not None and summary.get("weights") == weights
    return dict(summary) if known else None


def keep(folder: Path, name: str, weights: str, result: Evaluation) -> None:
    """File one evaluator's scores (`scored/<name>.json`) and predictions as soon as they are there."""
    for item in result.predictions:
        write_predictions(folder, item)
    document = {"weights": weights, "scores": scores_to_json(result.scores), "missing": list(result.missing)}
    write_json(_path(folder, name), document)


def kept(folder: Path, names: list[str], weights: str) -> dict[str, Evaluation]:
    """Results of evaluators that are done for these weights. Damaged files count as not done."""
    found = {}
    for name in names:
        try:
            document = load_json(_path(folder, name))
            if document["weights"] == weights:
                found[name] = Evaluation(scores_from_json(document["scores"]), missing=tuple(document["missing"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def clear(folder: Path) -> None:
    """The record holds everything now: drop what was kept for a retry."""
    shutil.rmtree(folder / _PARTIAL, ignore_errors=True)


def _path(folder: Path, name: str) -> Path:
    return folder / _PARTIAL / f"{quote(name, safe='')}.json"
