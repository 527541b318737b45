"""The record of a run, as `record.json` holds it, and how it is read with suspicion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from dalr_bench.types import Score

SCHEMA = 1
Status = Literal["done", "failed", "damaged"]
_KEYS = ("schema", "run_id", "suite", "variant", "axes", "seed", "status", "error", "scores", "seconds", "environment")


@dataclass(frozen=True)
class Record:
    """One run's outcome. `seconds` by part of the work; `extra` holds the keys later versions or plugins added.

    `status` is "damaged" only for what was read and could not be understood; `error` then says why. Such a record never
    counts as done and is never written.
    """

    run_id: str
    suite: str
    variant: str
    seed: int
    axes: Mapping[str, str] = field(default_factory=dict)
    status: Status = "done"
    error: str | None = None
    scores: Sequence[Score] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document of `record.json`. Raises ValueError for a damaged record or a score that is not a number."""
        if self.status == "damaged":
            raise ValueError(f"a damaged record is never written ({self.run_id}: {self.error})")
        return {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "suite": self.suite,
            "variant": self.variant,
            "axes": dict(self.axes),
            "seed": self.seed,
            "status": self.status,
            "error": self.error,
            "scores": scores_to_json(self.scores),
            "seconds": dict(self.seconds),
            "environment": dict(self.environment),
            **{key: value for key, value in self.extra.items() if key not in _KEYS},
        }

    @cached_property
    def spent(self) -> dict[str, dict[str, float]]:
        """What the run cost by part of its work and of a step (`costs`), and under "" the peak of its memory: what is
        known of it, unknown quantities left out."""
        costs, peak = self.extra.get("costs"), self.extra.get("bytes")
        found = {str(part): _known(each) for part, each in costs.items()} if isinstance(costs, dict) else {}
        top = _known({"peak_bytes": peak.get("peak")}) if isinstance(peak, dict) else {}
        return {**found, **({"": top} if top else {})}

    @classmethod
    def from_json(cls, document: Any) -> Record:
        """Read the document of `record.json`. Raises ValueError with what is wrong, in one line."""
        if not isinstance(document, dict):
            raise ValueError(f"a record is an object, not {_kind(document)}")
        if document.get("schema") != SCHEMA:
            raise ValueError(f"schema {document.get('schema')!r} is unknown here; this version reads {SCHEMA}")
        if document.get("status") not in ("done", "failed"):
            raise ValueError(f"status must be done or failed, not {document.get('status')!r}")
        return cls(
            run_id=take(document, "run_id", str),
            suite=take(document, "suite", str),
            variant=take(document, "variant", str),
            seed=take(document, "seed", int),
            axes={str(key): str(value) for key, value in take(document, "axes", dict).items()},
            status=document["status"],
            error=None if document.get("error") is None else str(document["error"]),
            scores=scores_from_json(take(document, "scores", list)),
            seconds=_numbers(take(document, "seconds", dict)),
            environment=take(document, "environment", dict),
            extra={key: value for key, value in document.items() if key not in _KEYS},
        )


def scores_to_json(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """The long form of the contract. Raises ValueError where a value is not a finite number."""
    for score in scores:
        if not math.isfinite(score.value):
            raise ValueError(f"score {score.task} {score.metric} is {score.value}, not a number that can be recorded")
    keys = ("task", "metric", "aggregation", "split", "value", "n", "protocol")
    return [{key: values[key] for key in keys} for values in map(asdict, scores)]


def scores_from_json(items: Sequence[Any]) -> tuple[Score, ...]:
    """Raises ValueError with the position of the first score that is not one."""
    return tuple(_score(position, item) for position, item in enumerate(items))


def _score(position: int, item: Any) -> Score:
    try:
        if not isinstance(item, dict):
            raise ValueError(f"it is {_kind(item)}, not an object")
        aggregation = item.get("aggregation")
        return Score(
            task=take(item, "task", str),
            metric=take(item, "metric", str),
            value=_finite("value", item.get("value")),
            n=int(_finite("n", item.get("n"))),
            split=take(item, "split", str) if "split" in item else "test",
            aggregation=None if aggregation is None else str(aggregation),
            protocol=take(item, "protocol", str) if "protocol" in item else "",
        )
    except ValueError as error:
        raise ValueError(f"scores[{position}]: {error}") from None


def take(document: Mapping[str, Any], key: str, kind: type) -> Any:
    """`document[key]`, which must be of that type. Raises ValueError saying what stands there instead."""
    value = document.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"`{key}` must be {kind.__name__}, not {_kind(value) if key in document else 'absent'}")
    return value


def _known(values: Any) -> dict[str, float]:
    numbers = values.items() if isinstance(values, dict) else ()
    return {
        str(key): float(value)
        for key, value in numbers
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(key): _finite(f"seconds.{key}", value) for key, value in values.items()}


def _finite(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"`{key}` must be a finite number, not {value!r}")
    return float(value)


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
