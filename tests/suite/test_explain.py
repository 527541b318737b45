"""Every value of a run has an origin, and says whether it counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dalr_bench import SuiteError
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.suite import expand, explain, load, origins

TEXT = """\
extends: base.yaml
seeds: [0, 1]
support: {first: {train.lr: 0.1}}
ablate:
  taught: {losses.r: {name: ranking, teacher: t}, teachers.t: {name: run, variant: first}}
grid: {losses.r.tau: [1.5, 2.5]}
"""


def test_origins(base: str, write: Callable[..., Path], catalogue: Catalogue) -> None:
    write(base, "base.yaml")
    suite = load(write(TEXT), ["train.batch=8"])
    found = explain(suite, catalogue, "taught", 1, {"losses.r.tau": "2.5"})
    origins = {line.path: (line.value, line.origin, line.counts) for line in found.lines}
    expected = {
        "suite": ("small", "base.yaml:1:8", "no"),
        "axes.losses.r.tau": ("2.5", "x.yaml:6:28", "no"),
        "seed": (1, "x.yaml:2:12", "yes"),
        "backbone.name": ("tiny", "base.yaml:3:13", "yes"),
        "backbone.dim": (8, "default", "yes"),
        "streams.text.path": (None, "default", "by content"),
        "teachers.t.variant": ("first", "x.yaml:5:84", "by the run it names"),
        "losses.r.tau": (2.5, "x.yaml:6:28", "yes"),
        "losses.r.weight": (1.0, "default", "yes"),
        "train.steps": (5, "base.yaml:6:18", "yes"),
        "train.batch": (8, "--set", "yes"),
        "evaluate.0.limit": (3, "default", "yes"),
    }
    assert {path: origins[path] for path in expected} == expected
    assert found.components["losses.r"] == "fake 1.0"
    run = next(run for run in expand(suite, catalogue).runs if run.id == found.run_id)
    assert run.config == found.config
    assert found.needs == {"first (seed 1)": run.needs[0]}
    assert json.loads(json.dumps(found.to_json()))["identity"] == found.identity


def test_every_value_of_the_config_has_one_line(base: str, write: Callable[..., Path], catalogue: Catalogue) -> None:
    found = explain(load(write(base)), catalogue, "base")
    config = dict(found.config)
    told = {line.path: line.value for line in found.lines}
    flat = {"suite": config["suite"], "seed": config["seed"]}
    for path, part in [
        ("backbone", config["backbone"]),
        ("streams.text", config["streams"]["text"]),
        ("losses.info", config["losses"]["info"]),
        ("evaluate.0", config["evaluate"][0]),
    ]:
        flat |= {f"{path}.{key}": value for key, value in {**part, **part["options"]}.items() if key != "options"}
    flat |= {f"train.{key}": value for key, value in config["train"].items() if key != "dev"}
    assert told == flat


def test_the_document_of_origins_says_what_explain_says(
    base: str, write: Callable[..., Path], catalogue: Catalogue
) -> None:
    write(base, "base.yaml")
    suite = load(write(TEXT), ["train.batch=8"])
    plan = expand(suite, catalogue)
    document = json.loads(json.dumps(origins(plan)))
    assert list(document["runs"]) == [run.id for run in plan.runs]
    assert len(document["origins"]) < len(plan.runs) == 6
    for run in plan.runs:
        found = explain(suite, catalogue, run.variant, run.seed, run.axes)
        told = {
            line.path: line.origin for line in found.lines if line.path not in ("suite", "seed", "axes.losses.r.tau")
        }
        assert document["origins"][document["runs"][run.id]] == told


@pytest.mark.parametrize(
    ("variant", "axes", "line"),
    [
        ("tought", {}, "no variant is called 'tought'. Did you mean 'taught'? Known: first, taught."),
        ("taught", {"tau": "1"}, "there is no axis 'tau'. Known: losses.r.tau."),
        ("taught", {"losses.r.tau": "1"}, "axis losses.r.tau has no value '1'. Known: 1.5, 2.5."),
    ],
)
def test_unknown_names(
    base: str, write: Callable[..., Path], catalogue: Catalogue, variant: str, axes: dict[str, str], line: str
) -> None:
    write(base, "base.yaml")
    with pytest.raises(SuiteError) as told:
        explain(load(write(TEXT)), catalogue, variant, axes=axes)
    assert str(told.value) == line
