"""What plugins build on has a version: a change of it that is not meant fails here.

A change that is meant: raise PLUGIN_API (the second number for what is added, the first for what is changed or gone), then
DALR_BENCH_GOLDEN=write renews the file; it refuses where the version is still the old one.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from pathlib import Path
from typing import Any

import dalr_bench
from dalr_bench import protocols
from dalr_bench.conformance.contracts import CONTRACTS
from dalr_bench.errors import UserError
from dalr_bench.plugin.registry import INJECTED
from dalr_bench.plugin.spec import PLUGIN_API, REGISTERING, Hooks, Register
from dalr_bench.types import KINDS

GOLDEN = Path(__file__).parent / "surface.json"


def members(thing: Any) -> dict[str, str]:
    """Public methods and their signatures."""
    found = {name: value for name, value in vars(thing).items() if not name.startswith("_") or name == "__call__"}
    return {name: str(inspect.signature(value)) for name, value in found.items() if inspect.isfunction(value)}


def shape(thing: Any) -> Any:
    """A public thing as plain JSON: fields of a dataclass, methods of a protocol, a constant's text."""
    if dataclasses.is_dataclass(thing):
        fields = {field.name: f"{field.type}{_default(field)}" for field in dataclasses.fields(thing)}
        return {"fields": fields, "methods": members(thing) if inspect.isclass(thing) else {}}
    if inspect.isclass(thing) and issubclass(thing, UserError):
        return {"exit_code": thing.exit_code, "bases": [base.__name__ for base in thing.__bases__]}
    if inspect.isclass(thing):
        return {"methods": members(thing), "attributes": sorted(getattr(thing, "__annotations__", {}))}
    return str(thing) if not callable(thing) else type(thing).__name__


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {field.default!r}"
    return " = ..." if field.default_factory is not dataclasses.MISSING else ""


def surface() -> dict[str, Any]:
    unversioned = {"__version__", "PLUGIN_API"}
    named = {name: shape(getattr(dalr_bench, name)) for name in dalr_bench.__all__ if name not in unversioned}
    contracts = {
        name: shape(value)
        for name, value in vars(protocols).items()
        if inspect.isclass(value) and value.__module__ == protocols.__name__
    }
    return {
        "names": named,
        "protocols": contracts,
        "hooks": members(Hooks),
        "register": members(Register),
        "registering": dict(REGISTERING),
        "kinds": list(KINDS),
        "injected": sorted(INJECTED),
        "conformance": sorted(CONTRACTS),
    }


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Paths at which two documents differ, with what became of them."""
    if isinstance(old, dict) and isinstance(new, dict):
        lost = [f"gone: {path}{key}" for key in old if key not in new]
        added = [f"added: {path}{key}" for key in new if key not in old]
        inner = [item for key in old if key in new for item in differences(old[key], new[key], f"{path}{key}.")]
        return [*lost, *added, *inner]
    if isinstance(old, list) and isinstance(new, list) and old != new:
        return [
            *(f"gone: {path}{item}" for item in old if item not in new),
            *(f"added: {path}{item}" for item in new if item not in old),
        ]
    return [] if old == new else [f"changed: {path[:-1]}: {old} -> {new}"]


def allowed(kept: str, found: list[str], here: str) -> bool:
    """Whether a version may stand for these differences: an addition raises the second number, all else the first."""
    (major, minor), (new_major, new_minor) = (tuple(map(int, version.split("."))) for version in (kept, here))
    if not found:
        return True
    if all(item.startswith("added:") for item in found):
        return new_major > major or (new_major == major and new_minor > minor)
    return new_major > major


def test_the_surface_is_the_one_of_its_version() -> None:
    kept = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {"plugin_api": "0.0", "surface": {}}
    now = json.loads(json.dumps(surface()))
    found = differences(kept["surface"], now)
    if os.environ.get("DALR_BENCH_GOLDEN") == "write" and found:
        assert allowed(kept["plugin_api"], found, PLUGIN_API), f"raise PLUGIN_API first: {found}"
        GOLDEN.write_text(json.dumps({"plugin_api": PLUGIN_API, "surface": now}, indent=1, sort_keys=True) + "\n")
        return
    assert not found, "\n".join(["the plugin surface changed; see this file's head", *found])
    assert kept["plugin_api"] == PLUGIN_API


def test_what_a_change_asks_of_the_version() -> None:
    old = {"names": {"A": 1}, "kinds": ["x"]}
    assert differences(old, {"names": {"A": 1, "B": 2}, "kinds": ["x", "y"]}) == ["added: names.B", "added: kinds.y"]
    assert differences(old, {"names": {}, "kinds": ["x"]}) == ["gone: names.A"]
    assert differences(old, {"names": {"A": 2}, "kinds": ["x"]}) == ["changed: names.A: 1 -> 2"]
    assert allowed("1.0", ["added: x"], "1.1")
    assert not allowed("1.0", ["added: x"], "1.0")
    assert not allowed("1.3", ["gone: x"], "1.4")
    assert allowed("1.3", ["gone: x", "added: y"], "2.0")
    assert allowed("1.3", [], "1.3")


def test_the_surface_is_worth_its_name() -> None:
    found = surface()
    assert len(found["names"]) > 30
    assert len(found["protocols"]) > 10
    assert found["names"]["Corpus"]["fields"]["sentences"] == "Sequence[str]"
    assert "register" in found["hooks"]["register_losses"]
