"""Discovery: every entry point of the group `dalr_bench`, ours and strangers' alike. A broken one is set aside and named."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pluggy

from dalr_bench.errors import SuiteError, UserError
from dalr_bench.imports import deferred
from dalr_bench.plugin.limit import within
from dalr_bench.plugin.origin import Origin, origins, plain
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.plugin.spec import PROJECT, REGISTERING, Hooks
from dalr_bench.types import Kind, Was

# Packages a plugin may import at its top without slowing commands that never use them.
HEAVY = ("torch", "transformers", "sentence_transformers", "pandas", "datasets")
BLOCK = "DALR_BENCH_BLOCK"
IMPORT_LIMIT = "DALR_BENCH_IMPORT_LIMIT"
_SECONDS, _LONGEST = 60.0, 86_400.0


@dataclass(frozen=True)
class Plugins:
    """`hooks` calls watching hooks of every plugin; `catalogue` holds what they registered."""

    hooks: pluggy.PluginManager
    catalogue: Catalogue


def load(only_kinds: frozenset[str] | None = None) -> Plugins:
    """Load all plugins (or only the hooks of some kinds), but those blocked, made for another version, or broken."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    catalogue = Catalogue()
    for origin in origins():
        if blocked(origin):
            catalogue.broken[origin.name] = f"blocked by {BLOCK}"
        elif origin.outside:
            catalogue.broken[origin.title] = origin.outside
        else:
            _load_one(origin, manager, catalogue, only_kinds)
    return Plugins(manager, catalogue)


def blocked(origin: Origin) -> bool:
    """Whether DALR_BENCH_BLOCK (names of entry points or distributions, comma-separated) leaves it out; `*` is every
    plugin that is not ours."""
    names = {name.strip() for name in os.environ.get(BLOCK, "").split(",")} - {""}
    if "*" in names and not origin.ours:
        return True
    return origin.name in names or plain(origin.distribution) in {plain(name) for name in names}


def _limit() -> float:
    """Seconds one plugin's import may take. Raises SuiteError where DALR_BENCH_IMPORT_LIMIT is no such number."""
    text = os.environ.get(IMPORT_LIMIT) or str(_SECONDS)
    with suppress(ValueError):
        if 0 < float(text) <= _LONGEST:
            return float(text)
    raise SuiteError(f"{IMPORT_LIMIT} {text}: expected seconds, e.g. 60")


def _load_one(
    origin: Origin, manager: pluggy.PluginManager, catalogue: Catalogue, only_kinds: frozenset[str] | None
) -> None:
    limit = _limit()
    before, renamed = dict(catalogue.components), dict(catalogue.renamed)

    def add(kind: Kind, name: str, factory: Callable[..., Any], was: Sequence[Was] = ()) -> None:
        catalogue.add(kind, name, factory, origin.distribution, origin.version, was)

    try:
        with deferred(*HEAVY), within(limit):
            plugin = origin.entry.load()
            collect(plugin, add, only_kinds)
        manager.register(plugin, name=origin.name)
        manager.check_pending()
    except KeyboardInterrupt:
        raise
    except (
        BaseException
    ) as error:  # a stranger's import may even call sys.exit: it must stop nothing that does not use it
        catalogue.components, catalogue.renamed = before, renamed
        if manager.has_plugin(origin.name):
            manager.unregister(name=origin.name)
        reason = error.faults[0].what if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        catalogue.broken[origin.title] = " ".join(reason.split())


class Add(Protocol):
    """Takes one registered component."""

    def __call__(self, kind: Kind, name: str, factory: Callable[..., Any], was: Sequence[Was] = ()) -> None: ...


def collect(plugin: Any, add: Add, only_kinds: frozenset[str] | None = None) -> None:
    """Call one plugin's registering hooks, in a manager of its own so that its components carry its name."""
    alone = pluggy.PluginManager(PROJECT)
    alone.add_hookspecs(Hooks)
    alone.register(plugin)
    alone.check_pending()
    for hook, kind in REGISTERING.items():
        if only_kinds is not None and kind not in only_kinds:
            continue

        def register(name: str, factory: Callable[..., Any], was: Sequence[Was] = (), kind: Any = kind) -> None:
            add(kind, name, factory, was)

        getattr(alone.hook, hook)(register=register)
