"""What every component promises, whatever its kind."""

from __future__ import annotations

import inspect
import re

from dalr_bench.conformance.bench import Bench, Check, UncheckedError
from dalr_bench.conformance.probes import seeds_nothing
from dalr_bench.errors import UserError
from dalr_bench.types import Requirement


def documented(bench: Bench) -> None:
    """A docstring, and every option's name in it (in that of the class or of its constructor)."""
    factory = bench.component.factory
    own = inspect.getdoc(factory) if factory.__doc__ else None
    bench.need(bool(own), "it has no docstring: `dalr-bench plugins` shows the first line, the docs all of it")
    text = f"{own}\n{getattr(getattr(factory, '__init__', None), '__doc__', '') or ''}"
    missing = [name for name in bench.component.schema.model_fields if not re.search(rf"\b{re.escape(name)}\b", text)]
    bench.need(not missing, f"its docstring says nothing of {', '.join(missing)}")


def requires(bench: Bench) -> None:
    """`requires` answers for these options with a list of Requirement."""
    ask = getattr(bench.component.factory, "requires", None)
    if ask is None:
        raise UncheckedError("it says nothing of what it reads from outside")
    bench.note = f"requires({dict(bench.options)})"
    answer = ask(dict(bench.options))
    wrong = [item for item in answer if not isinstance(item, Requirement)]
    bench.need(not wrong, f"{wrong[:1]} is no Requirement")


def built(bench: Bench) -> None:
    """It is built."""
    bench.note = f"options {dict(bench.options)}"
    try:
        bench.one()
    except UserError as error:  # it says itself what it wants of its user
        raise UncheckedError(f"{error.faults[0]}; give what it needs with `--option KEY=VALUE`") from None


def quiet_random(bench: Bench) -> None:
    """Building seeds nothing; what its calls draw is checked with the calls."""
    seeds_nothing(bench)


BEFORE: tuple[tuple[str, Check], ...] = (
    ("options.documented", documented),
    ("build.requires", requires),
    ("build.works", built),
    ("rng.untouched", quiet_random),
)
