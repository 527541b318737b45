"""Discovery: every entry point of the group `dalr_bench`, ours and strangers' alike. A broken one is set aside and named."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from dalr_bench.errors import UserError
from dalr_bench.imports import deferred
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.plugin.spec import PROJECT, REGISTERING, Hooks

# Packages a plugin may import at its top without slowing commands that never use them.
_HEAVY = ("torch", "transformers", "sentence_transformers", "pandas", "datasets")


@dataclass(frozen=True)
class Plugins:
    """`hooks` calls watching hooks of every plugin; `catalogue` holds what they registered."""

    hooks: pluggy.PluginManager
    catalogue: Catalogue


def load(only_kinds: frozenset[str] | None = None) -> Plugins:
    """Load all plugins (or only the hooks of some kinds). DALR_BENCH_BLOCK names entry points to leave out, comma-separated."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    catalogue = Catalogue()
    blocked = {name.strip() for name in os.environ.get("DALR_BENCH_BLOCK", "").split(",")} - {""}
    for entry in sorted(entry_points(group=PROJECT), key=lambda item: (item.name != "dalr_bench_plugins", item.name)):
        if entry.name in blocked:
            catalogue.broken[entry.name] = "blocked by DALR_BENCH_BLOCK"
            continue
        _load_one(entry, manager, catalogue, only_kinds)
    return Plugins(manager, catalogue)


def _load_one(
    entry: EntryPoint, manager: pluggy.PluginManager, catalogue: Catalogue, only_kinds: frozenset[str] | None
) -> None:
    distribution = entry.dist.name if entry.dist else "unknown"
    version = entry.dist.version if entry.dist else "unknown"
    before = dict(catalogue.components)
    try:
        with deferred(*_HEAVY):
            plugin = entry.load()
            collect(plugin, catalogue, distribution, version, only_kinds)
        manager.register(plugin, name=entry.name)
        manager.check_pending()
    except KeyboardInterrupt:
        raise
    except (
        BaseException
    ) as error:  # a stranger's import may even call sys.exit: it must stop nothing that does not use it
        catalogue.components = before
        if manager.has_plugin(entry.name):
            manager.unregister(name=entry.name)
        reason = error.faults[0].what if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        catalogue.broken[f"{entry.name} of {distribution} {version}"] = " ".join(reason.split())


def collect(
    plugin: Any, catalogue: Catalogue, distribution: str, version: str, only_kinds: frozenset[str] | None = None
) -> None:
    """Call one plugin's registering hooks, in a manager of its own so that its components carry its name."""
    alone = pluggy.PluginManager(PROJECT)
    alone.add_hookspecs(Hooks)
    alone.register(plugin)
    for hook, kind in REGISTERING.items():
        if only_kinds is not None and kind not in only_kinds:
            continue

        def register(name: str, factory: Callable[..., Any], kind: Any = kind) -> None:
            catalogue.add(kind, name, factory, distribution, version)

        getattr(alone.hook, hook)(register=register)
