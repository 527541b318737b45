"""Which scores become columns, and in which order (the field's own, in columns.json; then as they are found)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.resources import files
from typing import Any

from dalr_bench.errors import SuiteError, nearest
from dalr_bench.table.model import Column
from dalr_bench.table.notes import clean
from dalr_bench.types import Score

Key = tuple[str, str, str | None, str]


def key_of(score: Score) -> Key:
    """(task, metric, aggregation, split): scores of one key may be averaged over seeds."""
    return score.task, score.metric, score.aggregation, score.split


@dataclass(frozen=True)
class Order:
    """The field's order and its habits, as data."""

    settings: Mapping[str, Any]

    @cached_property
    def known(self) -> dict[str, tuple[int, str, Mapping[str, str]]]:
        """Task → (position, block, settings of its column)."""
        flat = [(block["name"], column) for block in self.settings["blocks"] for column in block["columns"]]
        return {column["task"]: (position, block, column) for position, (block, column) in enumerate(flat)}

    def preference(self, key: Key) -> tuple[int, int, int]:
        """Smaller is more of a main score: the column's metric, all pairs together, the test split."""
        task, metric, aggregation, split = key
        wanted = self.known[task][2].get("metric") if task in self.known else None
        metrics: Sequence[str] = [wanted] if wanted else self.settings["metrics"]
        splits: Sequence[str] = self.settings["splits"]
        return _place(metric, metrics), 0 if aggregation in (None, "all") else 1, _place(split, splits)

    def name(self, reference: str) -> tuple[str, str]:
        """`senteval.avg` → ("transfer", "avg"): a published number's name, folded for comparison."""
        task, _, metric = reference.rpartition(".")
        return str(self.settings["aliases"].get(task.casefold(), task)).casefold(), metric.casefold()


def read_order() -> Order:
    """The packaged columns.json."""
    return Order(json.loads((files("dalr_bench.table") / "columns.json").read_text(encoding="utf-8")))


def choose(found: Iterable[Key], selectors: Sequence[str], order: Order) -> list[Column]:
    """The columns of a table: every task's main score, or what the selectors name.

    Raises SuiteError for a selector that matches nothing.
    """
    keys = list(dict.fromkeys(found))
    chosen = _selected(keys, selectors, order) if selectors else _default(keys, order)
    last = len(order.known)
    chosen.sort(key=lambda key: order.known[key[0]][0] if key[0] in order.known else last)  # stable: others as found
    main = {key[0]: _main(keys, key[0], order) for key in chosen}
    return [_column(key, key == main[key[0]], order) for key in chosen]


def main_columns(columns: Sequence[Column], keys: Sequence[Key], order: Order) -> list[Column]:
    """The columns that published numbers belong to: of several of one task and metric the main one. A paper's test score
    is no number of a dev split, or of another aggregation, that is shown beside it."""
    best: dict[tuple[str, str], Key] = {}
    for key in keys:
        known = best.setdefault(key[:2], key)
        best[key[:2]] = min(known, key, key=order.preference)
    return [column for column in columns if best.get(column.key[:2]) == column.key]


def _default(keys: Sequence[Key], order: Order) -> list[Key]:
    shown = [key for key in keys if key[3] not in order.settings["hidden_splits"]]
    tasks = dict.fromkeys(key[0] for key in shown)
    whole = [task for task in tasks if not any(task != other and task.startswith(_parts(other)) for other in tasks)]
    return [_main(shown, task, order) for task in whole]


def _selected(keys: Sequence[Key], selectors: Sequence[str], order: Order) -> list[Key]:
    tasks = dict.fromkeys(key[0] for key in keys)
    chosen: list[Key] = []
    for selector in selectors:
        matched = [_main(keys, task, order) for task in tasks if fnmatchcase(task, selector)]
        matched = matched or [key for key in keys if any(fnmatchcase(name, selector) for name in _names(key))]
        if not matched:
            raise SuiteError(f"--tasks {selector}: no score is called that. {nearest(selector, tasks)}")
        chosen += [key for key in matched if key not in chosen]
    return chosen


def _main(keys: Sequence[Key], task: str, order: Order) -> Key:
    return min((key for key in keys if key[0] == task), key=order.preference)


def _names(key: Key) -> list[str]:
    task, metric, aggregation, split = key
    head = task if aggregation is None else f"{task}.{aggregation}"
    return [f"{task}.{metric}", head, f"{head}.{metric}", f"{head}.{metric}.{split}"]


def _parts(task: str) -> tuple[str, ...]:
    return tuple(f"{task}{mark}" for mark in "/.:")


def _column(key: Key, main: bool, order: Order) -> Column:
    task, metric, aggregation, split = key
    _, block, settings = order.known.get(task, (0, "", {}))
    name = settings.get("name", task)
    label = settings.get("label", task)
    if not main:
        detail = [
            part for part in (aggregation, metric, split if split not in order.settings["splits"] else None) if part
        ]
        name = label = f"{task} {' '.join(detail)}"
    return Column(clean(name), clean(label), block, key, metric in order.settings["lower_is_better"])


def _place(value: str, order: Sequence[str]) -> int:
    return order.index(value) if value in order else len(order)
