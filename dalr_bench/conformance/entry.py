"""What a distribution promises before any of its components is built: that importing it is free, and that it registers well."""

from __future__ import annotations

import functools
import importlib.util
import random
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, packages_distributions
from types import FrameType, ModuleType
from typing import Any

from dalr_bench.conformance.bench import BrokenError
from dalr_bench.errors import UserError
from dalr_bench.imports import deferred
from dalr_bench.plugin.manager import HEAVY, collect
from dalr_bench.plugin.origin import Origin, plain
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.types import Kind, Was

_CPU_SECONDS = 1.0
_TORCH = (
    "uses torch: `import torch` alone is free until it is used, but `import torch.nn.functional`, a base class and a type "
    "use it (`from __future__ import annotations` keeps types from it)"
)
_STDLIB = tuple(filter(None, {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}))
# What an audit hook is told of work: https://docs.python.org/3/library/audit_events.html
_WORK = {
    "open": "opens a file",
    "os.mkdir": "makes a folder",
    "os.remove": "removes a file",
    "os.rename": "renames a file",
    "socket.connect": "connects to a network",
    "socket.bind": "opens a port",
    "socket.getaddrinfo": "asks the network for a name",
    "subprocess.Popen": "starts a process",
    "os.fork": "starts a process",
}


@dataclass
class Importing:
    """One import of an entry point's module, watched."""

    entry: EntryPoint
    found: list[str] = field(default_factory=list)
    plugin: Any = None
    _watching: bool = False

    def run(self) -> None:
        """Import it as discovery does. Raises BrokenError where that fails; `found` holds the work it did."""
        sys.addaudithook(self._seen)
        threads, started, state = set(threading.enumerate()), time.process_time(), random.getstate()
        self._watching = True
        try:
            with deferred(*HEAVY):
                self.plugin = self.entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise BrokenError(" ".join(f"{type(error).__name__}: {error}".split())) from None
        finally:
            self._watching = False
        self._measure(threads, time.process_time() - started, state)

    def _measure(self, threads: set[threading.Thread], seconds: float, state: Any) -> None:
        if "torch._C" in sys.modules:
            self.found.append(_TORCH)
        self.found += [f"starts thread '{one.name}'" for one in threading.enumerate() if one not in threads]
        if seconds > _CPU_SECONDS:
            self.found.append(f"takes {seconds:.1f} s of CPU, at most {_CPU_SECONDS:g} s are allowed")
        if random.getstate() != state:
            self.found.append("draws from the global random state")

    def _seen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._watching and event in _WORK and self._by_plugin(sys._getframe(1)):
            what = arguments[0] if arguments and isinstance(arguments[0], str | bytes) else ""
            self.found.append(f"{_WORK[event]} {what!r}" if what else _WORK[event])

    def _by_plugin(self, frame: FrameType | None) -> bool:
        """Whether the nearest frame outside the standard library is the plugin's own: imports are the library's doing."""
        own = self.entry.module.partition(".")[0]
        while frame is not None:
            name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
            if name.startswith("importlib") or file.startswith("<frozen"):
                return False
            if name.partition(".")[0] == own:
                return True
            if "site-packages" in file or not file.startswith(_STDLIB):
                return False
            frame = frame.f_back
        return False


def idle(importing: Importing) -> None:
    """Raises BrokenError with all the work the import did."""
    if importing.found:
        raise BrokenError("; ".join(dict.fromkeys(importing.found)))


def in_range(origin: Origin) -> None:
    """Raises BrokenError where the distribution names no range of dalr-bench, or one this version is not in."""
    if origin.asks is None:
        raise BrokenError("its pyproject.toml requires no 'dalr-bench'; expected e.g. \"dalr-bench>=0.1,<0.2\"")
    if origin.outside:
        raise BrokenError(origin.outside)
    if not origin.asks:
        raise BrokenError("it requires 'dalr-bench' of any version; expected a range, e.g. \"dalr-bench>=0.1,<0.2\"")


def registers(plugin: Any, origin: Origin, others: Catalogue, told: Callable[[str, str], None]) -> Catalogue:
    """Call its registering hooks; every fault is told as (contract, what). The catalogue holds what was registered."""
    own = Catalogue()

    def add(kind: Kind, name: str, factory: Callable[..., Any], was: Sequence[Was] = ()) -> None:
        taken = others.components.get((kind, name)) or own.components.get((kind, name))
        if taken is not None:
            told("plugin.names", f"{kind} '{name}' is already registered by {taken.distribution}")
            return
        try:
            own.add(kind, name, factory, origin.distribution, origin.version, was)
        except UserError as error:
            told("options.closed", error.faults[0].what)
        except Exception as error:
            told("options.closed", f"{kind} '{name}': {type(error).__name__}: {' '.join(str(error).split())}")

    try:
        collect(plugin, add)
    except Exception as error:
        reason = error.faults[0].what if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        told("plugin.hooks", " ".join(reason.split()))
    return own


def packages(origin: Origin, plugin: ModuleType) -> None:
    """Raises BrokenError where its code imports what its distribution does not require."""
    known = providers_of()
    own = plugin.__name__.partition(".")[0]
    missing = {}
    for name in sorted(_imported(plugin) - {own, "dalr_bench"} - set(sys.stdlib_module_names)):
        providers = {plain(one) for one in known.get(name, [])}
        if plain(origin.distribution) in providers:
            continue
        if not providers & origin.requires:
            missing[name] = min(providers, default="which is not installed")
    if missing:
        told = ", ".join(f"'{name}' ({of})" for name, of in missing.items())
        raise BrokenError(f"it imports {told}; its pyproject.toml does not require it")


@functools.cache
def providers_of() -> Mapping[str, Sequence[str]]:
    """Which distributions give a top-level name. Reads the records of all that are installed: once for many checks."""
    return packages_distributions()


def _imported(plugin: ModuleType) -> set[str]:
    """Top-level names its files import, anywhere in them."""
    import ast
    from pathlib import Path

    spec = importlib.util.find_spec(plugin.__name__.partition(".")[0])
    if spec is None or spec.origin is None:
        return set()
    files = Path(spec.origin).parent.rglob("*.py") if spec.submodule_search_locations else [Path(spec.origin)]
    return {name.partition(".")[0] for file in files for name in _names(ast.parse(file.read_bytes()))}


def _names(tree: Any) -> Iterator[str]:
    import ast

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
