"""What a report shows: plain values, made from records and read by charts, page and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dalr_bench.record.record import Record
from dalr_bench.table.model import Table

Role = Literal["row", "floor", "support", "stray"]


@dataclass(frozen=True)
class Run:
    """One run of the suite and all that its folder holds; `groups` are the groups of table rows it is a seed of.

    `state` is a run folder's (done, failed, missing, ...), `role` says what the suite wants of it: a row, a floor, a
    support of others, or nothing any more ("stray"). `steps` are the lines of its log, `files` names in its folder,
    `origins` say where each value of its config was written.
    """

    id: str
    variant: str
    seed: int
    groups: Sequence[str]
    role: Role
    state: str
    error: str = ""
    record: Record | None = None
    config: Mapping[str, Any] | None = None
    steps: Sequence[Mapping[str, Any]] = ()
    files: Sequence[str] = ()
    origins: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Dataset:
    """Rows of one chart's data: names once, values often. `label` says what it is for those who read it as a table."""

    label: str
    fields: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def records(self) -> list[dict[str, Any]]:
        """One mapping a row, as Vega-Lite wants inline data."""
        return [dict(zip(self.fields, row, strict=True)) for row in self.rows]

    def distinct(self, field_name: str) -> list[Any]:
        """The different values of a field, in order of appearance."""
        place = list(self.fields).index(field_name)
        return list(dict.fromkeys(row[place] for row in self.rows))

    def known(self, field_name: str) -> bool:
        """Whether any row has a value there."""
        return any(value is not None for value in self.distinct(field_name))


@dataclass(frozen=True)
class Report:
    """Everything the page needs. `main` is the column a reader looks at first; None where nothing was scored."""

    table: Table
    runs: Sequence[Run]
    data: Mapping[str, Dataset]
    main: str | None
    environments: Sequence[tuple[Mapping[str, Any], Sequence[str]]] = field(default_factory=tuple)

    @property
    def variants(self) -> list[str]:
        """Names of the measured rows, in the order of the suite."""
        rows = [row.name for group in self.table.groups for row in group.rows if row.kind == "measured"]
        return unique(rows)

    @property
    def compared(self) -> list[str]:
        """The variants whose difference to the baseline is a component's worth: neither the baseline nor a floor."""
        floors = {row.name for group in self.table.groups for row in group.rows if row.floor}
        return [name for name in self.variants if name != self.table.baseline and name not in floors]

    @property
    def groups(self) -> list[str]:
        """Labels of the groups that have measured rows."""
        found = [group for group in self.table.groups if any(row.kind == "measured" for row in group.rows)]
        return unique(group.label for group in found)

    @property
    def several(self) -> bool:
        """Whether a reader has groups to choose from."""
        return len(self.groups) > 1

    def count(self) -> dict[str, int]:
        """State → number of runs."""
        out: dict[str, int] = {}
        for run in self.runs:
            out[run.state] = out.get(run.state, 0) + 1
        return out


def unique(values: Iterable[str]) -> list[str]:
    """Each value once, in order of appearance."""
    return list(dict.fromkeys(values))
