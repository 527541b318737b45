"""The processes in which one plugin, or one component, is checked: `python -m dalr_bench.conformance.child [warm]`.

A line of JSON in is an order (what to check) and a fork; a line of JSON out tells the start and the end of every check, so
that whoever started it knows which check was running when time was over or the process died.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

from dalr_bench.conformance.bench import Bench, BrokenError, Check, UncheckedError

_KINDS: Mapping[str, tuple[str, str]] = {
    "teacher": ("of_teachers", "CHECKS"),
    "loss": ("of_losses", "CHECKS"),
    "backbone": ("of_backbones", "CHECKS"),
    "source": ("of_data", "SOURCES"),
    "evaluator": ("of_data", "EVALUATORS"),
    "executor": ("of_running", "EXECUTORS"),
    "tracker": ("of_running", "TRACKERS"),
    "template": ("of_running", "TEMPLATES"),
    "command": ("of_running", "COMMANDS"),
}
# Where one of these does not hold, whatever follows would only say so again.
_NEEDED = frozenset({"build.works", "loss.needs"})
Say = Callable[..., None]


def main() -> None:
    """Load what every check needs; then fork a child for each order and tell how it ended."""
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a plugin prints is no event

    def say(event: str, **values: Any) -> None:
        events.write(json.dumps({"event": event, **values}) + "\n")

    _prepare(warm="warm" in sys.argv[1:])
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            _live(json.loads(line), say)
        say("born", pid=child)
        say("gone", code=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _prepare(warm: bool) -> None:
    from dalr_bench.plugin.manager import load

    load()  # our own components; strangers are blocked by who started this
    if warm:
        for module in {module for module, _ in _KINDS.values()}:
            import_module(f"dalr_bench.conformance.{module}")
        import torch

        # The first backward pass on the meta device imports for a second: once for all children.
        torch.autograd.backward(torch.ones(2, device="meta", requires_grad=True).square().mean())
        return
    from dalr_bench.conformance.entry import providers_of

    providers_of()


def _live(order: Mapping[str, Any], say: Say) -> NoReturn:
    """One child's life. It leaves without cleaning up what belongs to its parent."""
    sys.stdin = open(os.devnull)  # noqa: SIM115  # as long as the process lives
    os.environ["DALR_BENCH_BLOCK"] = order["block"]
    code = 1
    try:
        if "component" in order:
            check_component(order, say)
        else:
            check_plugin(order["plugin"], say)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def check_plugin(name: str, say: Say) -> None:
    """What is promised before a component is built; ends by naming the components it registered."""
    from dalr_bench.conformance import entry
    from dalr_bench.plugin.manager import load
    from dalr_bench.plugin.origin import origins

    origin = next(one for one in origins() if one.name == name)
    importing = entry.Importing(origin.entry)
    if _tried("plugin.import", importing.run, say) != "kept":
        return
    _tried("plugin.idle", lambda: entry.idle(importing), say)
    _tried("plugin.range", lambda: entry.in_range(origin), say)
    _tried("plugin.packages", lambda: entry.packages(origin, importing.plugin), say)
    faults: dict[str, list[str]] = {"plugin.hooks": [], "plugin.names": [], "options.closed": []}
    say("start", contract="plugin.hooks")
    others = load().catalogue  # the kit has blocked every stranger, this one included
    own = entry.registers(importing.plugin, origin, others, lambda contract, what: faults[contract].append(what))
    for contract, found in faults.items():
        for what in found:
            say("end", contract=contract, state="broken", what=what, input="")
        if not found:
            say("end", contract=contract, state="kept", what="", input="")
    say("components", names=[f"{item.kind}/{item.name}" for item in own])


def check_component(order: Mapping[str, Any], say: Say) -> None:
    """Every check of its kind, in order; none of them where it cannot be built."""
    from dalr_bench.conformance.of_any import BEFORE
    from dalr_bench.plugin.manager import load

    say("start", contract="build.works")
    kind, _, name = order["component"].partition("/")
    catalogue = load().catalogue
    component = catalogue.get(kind, name)
    bench = Bench(catalogue, component, order["options"], order["device"], order["data"])
    module, attribute = _KINDS[kind]
    checks: Sequence[tuple[str, Check]] = getattr(import_module(f"dalr_bench.conformance.{module}"), attribute)
    for contract, check in (*BEFORE, *checks):
        if _checked(contract, check, bench, say) != "kept" and contract in _NEEDED:
            return
    say("facts", facts=bench.facts)


def _checked(contract: str, check: Check, bench: Bench, say: Say) -> str:
    bench.note = ""
    return _tried(contract, lambda: check(bench), say, lambda: bench.note)


def _tried(contract: str, check: Callable[[], None], say: Say, note: Callable[[], str] = lambda: "") -> str:
    """What became of it: kept, broken or unchecked. A cost is no contract and breaks nothing."""
    say("start", contract=contract)
    started = time.perf_counter()
    state, what = "kept", ""
    try:
        check()
    except UncheckedError as why:
        state, what = "unchecked", str(why)
    except BrokenError as error:
        state, what = "broken", str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        state, what = "broken", f"{type(error).__name__}: {error}"
    if contract == "cost":
        state = "kept"
    what = " ".join(what.split())[:600]
    say("end", contract=contract, state=state, what=what, input=note()[:600], seconds=time.perf_counter() - started)
    return state


if __name__ == "__main__":
    main()
