"""What a run keeps while it trains and afterwards: said on the command line, told to workers by the environment, no part of a result."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast, get_args

from dalr_bench.errors import SuiteError

Retain = Literal["best", "last", "none"]
EVERY, RETAIN = "DALR_BENCH_CHECKPOINT_EVERY", "DALR_BENCH_RETAIN"
_DEFAULT_EVERY = "10min"
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(steps?|s|min|h)")


@dataclass(frozen=True)
class Keeping:
    """A checkpoint every so many steps, or seconds (neither: only when the process is asked to leave), and what stays of a run.

    `retain` best: the weights that were scored; last: those and the last checkpoint; none: neither, unless another run needs them.
    """

    steps: int | None = None
    seconds: float | None = None
    retain: Retain = "best"

    @classmethod
    def of(cls, every: str, retain: str) -> Keeping:
        """`500steps`, `90s`, `10min`, `2h` or `never`. Raises SuiteError for anything else."""
        if retain not in get_args(Retain):
            raise SuiteError(f"--retain {retain}: expected one of {', '.join(get_args(Retain))}")
        kept = cast(Retain, retain)
        if every == "never":
            return cls(retain=kept)
        found = _FORM.fullmatch(every.strip())
        if found is None or float(found[1]) == 0 or (found[2].startswith("step") and "." in found[1]):
            raise SuiteError(f"--checkpoint-every {every}: expected e.g. 500steps, 90s, 10min, 2h or never")
        if found[2].startswith("step"):
            return cls(steps=int(found[1]), retain=kept)
        return cls(seconds=float(found[1]) * _SECONDS[found[2]], retain=kept)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Keeping:
        """What `told_to_workers` said, else the defaults: every ten minutes, the weights that were scored."""
        return cls.of(environment.get(EVERY) or _DEFAULT_EVERY, environment.get(RETAIN) or "best")


@contextmanager
def told_to_workers(every: str | None, retain: str | None) -> Iterator[None]:
    """Runs of this process and of those it starts inside the block keep that. None leaves the environment's word."""
    said = {name: value for name, value in ((EVERY, every), (RETAIN, retain)) if value is not None}
    before = {name: os.environ.get(name) for name in said}
    os.environ |= said
    try:
        Keeping.from_environment()  # a word that is not understood is told before anything starts
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
