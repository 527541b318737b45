"""All faults of a suite are collected and told at once; what kinds they are decides the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from dalr_bench.errors import DataError, Fault, PluginError, SuiteError, UserError
from dalr_bench.suite.tree import Mark, show

FaultKind = Literal["suite", "plugin", "data"]
_ERRORS: dict[FaultKind, type[UserError]] = {"suite": SuiteError, "plugin": PluginError, "data": DataError}


def fault_at(what: str, path: str, at: Mark) -> Fault:
    """One fault at one place, fit for a terminal whatever names it quotes."""
    return Fault(show(what), show(path), show(at.file), at.line, at.column)


def _where(fault: Fault) -> tuple[str, int, int, str]:
    """The value a fault is about: by its place in a file, where it has one; else (`--set`) by its path."""
    return fault.file, fault.line, fault.column, "" if fault.line else fault.path.removeprefix("base.")


class Faults:
    """Faults by kind, each told once however many cells of the grid run into it."""

    def __init__(self, found: Iterable[Fault] = ()) -> None:
        self._found: dict[Fault, FaultKind] = dict.fromkeys(found, "suite")
        self._places: set[tuple[str, str, int, int]] = set()
        # What could not be read stands in the tree as a value nobody wrote: what that one lacks is not worth a word.
        self._unread = {_where(fault) for fault in self._found if fault.line or fault.path}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, what: str, path: str, at: Mark, kind: FaultKind = "suite") -> None:
        """One fault at one place. A second one at the same place about the same path would only repeat it."""
        fault = fault_at(what, path, at)
        if _where(fault) in self._unread:
            return
        place = (fault.path, fault.file, fault.line, fault.column)
        if place not in self._places or not at.line:
            self._places.add(place)
            self._found.setdefault(fault, kind)

    @property
    def told(self) -> tuple[Fault, ...]:
        """In the order of the files."""
        return tuple(
            sorted(self._found, key=lambda fault: (fault.file, fault.line, fault.column, fault.path, fault.what))
        )

    def raise_any(self) -> None:
        """Raise what was found: PluginError or DataError where every fault is of that kind, else SuiteError."""
        kinds = set(self._found.values())
        if kinds:
            raise (_ERRORS[kinds.pop()] if len(kinds) == 1 else SuiteError)(self.told)
