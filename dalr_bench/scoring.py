"""A finished model and evaluators by name in, scores out: what `dalr-bench score` and `bench` stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalr_bench.cache import cache_root
from dalr_bench.data.paths import evaluation_data
from dalr_bench.errors import DataError, SuiteError, nearest
from dalr_bench.evaluate.batches import Precision
from dalr_bench.evaluate.encoder import EncodeOptions, OnePass, Progress
from dalr_bench.evaluate.score import Outcome, evaluate
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.train.device import choose, keep_pages
from dalr_bench.types import Part

# Options by which an evaluator lets its tasks be chosen.
_CHOICES = ("tasks", "sets")


@dataclass(frozen=True)
class Asked:
    """What to score and how. `reading` holds the options of the backbone component, `options` those of each evaluator."""

    model: str
    evaluators: Sequence[str]
    tasks: Sequence[str] = ()
    data: str | None = None
    device: str = "auto"
    precision: Precision = "fp32"
    backbone: str = "pretrained"
    reading: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """The scores of one model. `revision` is the hash of its weights and of how they were read."""

    model: str
    revision: str
    outcome: Outcome


def score_model(asked: Asked, catalogue: Catalogue, progress: Progress | None = None) -> Scored:
    """Open the model, run the evaluators on one encoding of the union of their sentences.

    Raises SuiteError (unknown evaluator, task or option), DataError (missing or malformed files), TrainingError
    (device).
    """
    evaluators = build_evaluators(asked, catalogue)
    subject = open_subject(asked, catalogue, progress)
    outcome = evaluate(evaluators, subject)
    if not outcome.scores:
        raise DataError(f"nothing was scored; missing: {', '.join(outcome.missing)}")
    return Scored(asked.model, subject.fingerprint, outcome)


def open_subject(asked: Asked, catalogue: Catalogue, progress: Progress | None = None) -> OnePass:
    """The model on its device, ready to encode."""
    device = choose(asked.device)
    keep_pages(device)
    student = build(catalogue, "backbone", Part(asked.backbone, {"model": asked.model, **asked.reading})).to(device)
    return OnePass(student, str(device), EncodeOptions(asked.precision, cache=cache_root(), progress=progress))


def build_evaluators(asked: Asked, catalogue: Catalogue) -> dict[str, Any]:
    """Evaluators by name; `tasks` go to those that know them, and an evaluator left without any is not run."""
    folder = evaluation_data(asked.data)
    unknown = [name for name in asked.options if name not in asked.evaluators]
    if unknown:
        raise SuiteError(f"--set {unknown[0]}: not among the evaluators. {nearest(unknown[0], asked.evaluators)}")
    chosen = _route(asked, catalogue)
    out: dict[str, Any] = {}
    for name in dict.fromkeys(asked.evaluators):
        options = {**asked.options.get(name, {}), **chosen.get(name, {})}
        if not asked.tasks or name in chosen:
            out[name] = build(catalogue, "evaluator", Part(name, options), data=folder, device=asked.device)
    return out


def _route(asked: Asked, catalogue: Catalogue) -> dict[str, dict[str, list[str]]]:
    """Evaluator → {its option: the tasks it knows}. Free-form evaluators get the names nobody else knows."""
    left, out, free, known = list(asked.tasks), {}, [], []
    for name in asked.evaluators:
        option, names = _choices(catalogue, name)
        known += names
        if option is not None and not names:
            free.append((name, option))
        found = [task for task in asked.tasks if task in names]
        if option is not None and found:
            out[name] = {option: found}
            left = [task for task in left if task not in found]
    if left and not free:
        raise SuiteError(f"--tasks {left[0]}: no evaluator asked for knows it. {nearest(left[0], known)}")
    return out | {name: {option: left} for name, option in free if left}


def _choices(catalogue: Catalogue, name: str) -> tuple[str | None, list[str]]:
    if ("evaluator", name) not in catalogue.components:
        raise SuiteError(
            f"--evaluators {name}: no evaluator is called that. {nearest(name, catalogue.names('evaluator'))}"
        )
    schema = catalogue.get("evaluator", name).schema.model_json_schema()
    option = next((option for option in _CHOICES if option in schema.get("properties", {})), None)
    return (None, []) if option is None else (option, _enumerated(schema["properties"][option]))


def _enumerated(schema: Any) -> list[str]:
    """Every value an `enum` somewhere inside a JSON schema allows."""
    if isinstance(schema, list):
        return [name for item in schema for name in _enumerated(item)]
    if not isinstance(schema, dict):
        return []
    here = [value for value in schema.get("enum", []) if isinstance(value, str)]
    return here + [name for key, item in schema.items() if key != "enum" for name in _enumerated(item)]


def build(catalogue: Catalogue, kind: str, part: Part, **given: Any) -> Any:
    """A component from options of the command line. Raises SuiteError for what its schema does not take."""
    if (kind, part.name) in catalogue.components:
        faults = catalogue.validate(kind, part)[1]
        if faults:
            raise SuiteError("; ".join(f"{part.name}.{path}: {what}" for path, what in faults))
    return catalogue.build(kind, part, **given)
