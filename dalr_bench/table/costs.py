"""Columns of what runs cost: seconds, memory and energy of a run, milliseconds and memory of each loss term a step."""

from __future__ import annotations

from collections.abc import Sequence

from dalr_bench.table.model import Column, Measured
from dalr_bench.table.notes import clean

_TERM = "losses."
# (part, quantity, head, factor): of a whole run where the part is empty, else of a step.
_RUN = (
    ("", "seconds", "seconds", 1.0),
    ("", "cpu_seconds", "CPU s", 1.0),
    ("", "gpu_seconds", "GPU s", 1.0),
    ("", "joules", "kJ", 1e-3),
    ("", "peak_bytes", "peak MB", 1e-6),
    ("step", "ms_per_step", "step ms", 1.0),
    ("student", "ms_per_step", "student ms", 1.0),
)
_OF_A_TERM = (("ms_per_step", "ms", 1.0), ("peak_bytes", "MB", 1e-6))
_FACTORS = {quantity: factor for _, quantity, _, factor in _RUN} | {
    quantity: factor for quantity, _, factor in _OF_A_TERM
}


def cost_columns(records: Sequence[Measured]) -> list[Column]:
    """The seconds, and whatever else any of these runs knows of its cost; terms in the order they are met."""
    terms = dict.fromkeys(part for record in records for part in record.spent if part.startswith(_TERM))
    wanted = list(_RUN)
    for part in terms:
        wanted += [(part, quantity, _head(part, unit), factor) for quantity, unit, factor in _OF_A_TERM]
    columns = [_column(part, quantity, head) for part, quantity, head, _ in wanted]
    return [each for each in columns if each.name == "seconds" or any(cost(r, each) is not None for r in records)]


def _head(part: str, unit: str) -> str:
    """`info ms`; columns go by their names, so a loss called `step` or `student` has `losses.step ms`."""
    head = f"{part.removeprefix(_TERM)} {unit}"
    return f"{part} {unit}" if head in {name for _, _, name, _ in _RUN} else head


def _column(part: str, quantity: str, head: str) -> Column:
    return Column(clean(head), clean(head), "Cost", (part, quantity, None, ""), lower_is_better=True, unit="cost")


def cost(record: Measured, column: Column) -> float | None:
    """One run's number in a cost column; None where it is not known, which is not zero."""
    part, quantity = column.key[:2]
    if part or quantity == "peak_bytes":
        found = record.spent.get(part, {}).get(quantity)
    elif quantity == "seconds":
        found = record.seconds.get("total", sum(record.seconds.values())) if record.seconds else None
    else:
        found = _sum([each.get(quantity) for each in record.spent.values() if "seconds" in each])
    return None if found is None else found * _FACTORS[quantity]


def _sum(values: Sequence[float | None]) -> float | None:
    """Of all stages; unknown as a whole where one of them is."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
