"""The model card of an exported cell: front matter for the hub, then what a reader asks of a model he did not train."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from dalr_bench.plugin.registry import Catalogue
from dalr_bench.publish.cell import Cell
from dalr_bench.publish.data_paths import replaced
from dalr_bench.table.escape import markdown
from dalr_bench.table.stats import mean, std
from dalr_bench.types import Score

# An id of the hub, `owner/name` or a bare name: what a local folder never is.
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_TAGS = ["sentence-transformers", "sentence-similarity", "feature-extraction", "dalr-bench"]


def card(cell: Cell, catalogue: Catalogue, revision: str) -> str:
    """The text of README.md. Names are strangers' words: quoted in the front matter, escaped below it."""
    from jinja2 import Environment, StrictUndefined

    source = (files("dalr_bench.publish") / "templates" / "card.md.j2").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters["md"] = markdown
    config = replaced(cell.config, catalogue, lambda path: Path(path).name)
    values = {**_method(config, catalogue), **_facts(cell, revision), **_scores(cell)}
    return environment.from_string(source).render(front=_front(cell, config), **values).rstrip("\n") + "\n"


def _front(cell: Cell, config: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="sentence-similarity",
            dataset_type=_word(score.task),
            dataset_name=_line(score.task),
            dataset_split=_line(score.split),
            metric_type=_word(score.metric),
            metric_value=score.value,
        )
        for score in cell.record.scores
    ]
    data = ModelCardData(
        model_name=_line(f"{cell.place.variant} ({cell.record.suite}, seed {cell.place.seed})"),
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=_TAGS,
        base_model=base_model(config),
        datasets=sorted({_word(entry["name"]) for entry in config["streams"].values()}),
        metrics=sorted({_word(score.metric) for score in cell.record.scores}) or None,
        eval_results=results or None,
    )
    return str(data.to_yaml(line_break="\n")).strip()


def base_model(config: Mapping[str, Any]) -> str | None:
    """The hub's id of the checkpoint a student started from; None for one from scratch or from a local folder."""
    model = config["backbone"]["options"].get("model")
    known = isinstance(model, str) and _HUB_ID.fullmatch(model) is not None and not Path(model).exists()
    return model if known else None


def _method(config: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    def rows(section: str, kind: str) -> Iterator[dict[str, Any]]:
        for label, entry in config[section].items():
            known = catalogue.components.get((kind, entry["name"]))
            shown = {key: value for key, value in entry["options"].items() if value is not None}
            weight = {"weight": entry["weight"]} if "weight" in entry else {}
            yield {
                "label": label,
                "name": entry["name"],
                "summary": known.summary if known else "",
                "options": json.dumps(shown, ensure_ascii=False),
                **weight,
            }

    train = {key: value for key, value in config["train"].items() if value is not None and key != "dev"}
    return {
        "losses": list(rows("losses", "loss")),
        "teachers": list(rows("teachers", "teacher")),
        "streams": list(rows("streams", "source")),
        "backbone": {**config["backbone"], "options": json.dumps(config["backbone"]["options"], ensure_ascii=False)},
        "train": json.dumps(train, ensure_ascii=False),
        "base_model": base_model(config),
    }


def _facts(cell: Cell, revision: str) -> dict[str, Any]:
    environment = cell.record.environment
    selected = f"dalr-bench run SUITE.yaml --only {_quoted(cell.place.variant)} --seed {cell.place.seed}"
    return {
        "variant": cell.place.variant,
        "suite": cell.record.suite,
        "axes": dict(cell.place.axes),
        "seed": cell.place.seed,
        "seeds": sorted({record.seed for record in cell.siblings}),
        "run_id": cell.record.run_id,
        "name": f"dalr-bench/{_word(cell.record.run_id)}",
        "revision": revision,
        "steps": cell.record.extra.get("steps"),
        "commit": environment.get("commit"),
        "versions": {"python": environment.get("python"), **_mapping(environment.get("libraries"))},
        "device": environment.get("device"),
        "command": selected,
        "bundle": f"dalr-bench run {_word(cell.record.run_id)}.zip",
    }


def _scores(cell: Cell) -> dict[str, Any]:
    protocols = list(dict.fromkeys(score.protocol for score in cell.record.scores))
    rows = []
    for score in cell.record.scores:
        values = [100 * other.value for record in cell.siblings for other in record.scores if _same(score, other)]
        deviation = std(values)
        rows.append(
            {
                "task": score.task,
                "metric": score.metric + (f", {score.aggregation}" if score.aggregation else ""),
                "split": score.split,
                "value": f"{100 * score.value:.2f}",
                "mean": f"{mean(values):.2f}" + ("" if deviation is None else f" ± {deviation:.2f}"),
                "n": len(values),
                "protocol": protocols.index(score.protocol) + 1,
            }
        )
    return {"scores": rows, "protocols": protocols}


def _same(first: Score, second: Score) -> bool:
    keys = ("task", "metric", "split", "aggregation")
    return all(getattr(first, key) == getattr(second, key) for key in keys)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _line(text: str) -> str:
    return " ".join(str(text).split())


def _quoted(text: str) -> str:
    """A shell word on one line that ends no fenced block."""
    return shlex.quote(_line(text).replace("`", "?"))


def _word(text: str) -> str:
    """Letters, digits and `._-`: what the hub takes as a name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "unnamed"
