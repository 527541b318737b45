"""What a user is told. Every fault is one line; every kind of fault has its own exit code (docs/contract)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_SUITE = 2
EXIT_PLUGIN = 3
EXIT_DATA = 4
EXIT_TRAINING = 5
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where: printed as `FILE:LINE:COLUMN PATH: what`."""

    what: str
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        head = " ".join(part for part in (where, self.path) if part)
        text = f"{head}: {self.what}" if head else self.what
        return " ".join(text.split())


class UserError(Exception):
    """A fault its reader can mend: shown without a traceback. `exit_code` tells scripts which kind it is."""

    exit_code = EXIT_SUITE

    def __init__(self, faults: str | Fault | Sequence[Fault]) -> None:
        if isinstance(faults, str):
            faults = Fault(faults)
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class SuiteError(UserError):
    """The suite or the command line is wrong."""


class PluginError(UserError):
    """A plugin is missing or broken."""

    exit_code = EXIT_PLUGIN


class DataError(UserError):
    """Data or model files are missing or malformed."""

    exit_code = EXIT_DATA


class TrainingError(UserError):
    """Training went wrong: a term is NaN, the loss has no gradient, the device ran out of memory."""

    exit_code = EXIT_TRAINING


class RenamedWarning(UserWarning):
    """A suite uses a name that a plugin has given up; shown as one line."""


def counted(number: int, noun: str, form: str = "") -> str:
    """`1 run`, `2 runs`; `form` is how the number is written (",": 1,200 runs)."""
    return f"{number:{form}} {noun}{'' if number == 1 else 's'}"


def reason(error: Exception) -> str:
    """Why, without the number and the file's name, which a fault gives elsewhere."""
    return str(getattr(error, "strerror", None) or error)


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'? Known: x, y.` — the tail of every complaint about an unknown name."""
    names = sorted(set(map(str, known)))
    if not names:
        return "None is known here."
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return f"{hint}Known: {', '.join(names)}."
