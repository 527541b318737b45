"""`dalr-bench plugins`: what is registered, by whom, and what each component's options are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dalr_bench.plugin.registry import Catalogue, Component


@click.command("show")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--origin", is_flag=True, help="Where plugins come from, by their metadata: none of their code is run.")
def command(name: str | None, as_json: bool, origin: bool) -> None:
    """List the registered components, or show one: its purpose, options, types, defaults and bounds."""
    if origin:
        click.echo(json.dumps(_origins(), indent=2, ensure_ascii=False) if as_json else _origin_lines(), nl=as_json)
        return
    from dalr_bench.plugin.manager import load

    catalogue = load().catalogue
    shown = list(catalogue) if name is None else _named(catalogue, name)
    if as_json:
        components = [describe(component) for component in shown]
        click.echo(json.dumps({"components": components, "broken": catalogue.broken}, indent=2, ensure_ascii=False))
    elif name is None:
        click.echo(listing(catalogue), nl=False)
    else:
        click.echo("\n\n".join(page(component) for component in shown))


def _origins() -> dict[str, Any]:
    """Every installed plugin as its distribution's metadata has it."""
    from dalr_bench.plugin.manager import blocked
    from dalr_bench.plugin.origin import origins
    from dalr_bench.plugin.spec import PLUGIN_API

    plugins = [
        {
            "name": one.name,
            "module": one.module,
            "distribution": one.distribution,
            "version": one.version,
            "home": one.home,
            "requires": one.asks,
            "state": "blocked" if blocked(one) else "set aside" if one.outside else "not loaded",
            "why": one.outside,
            **one.about,
        }
        for one in origins()
    ]
    return {"plugin_api": PLUGIN_API, "plugins": plugins}


def _origin_lines() -> str:
    out = []
    for one in _origins()["plugins"]:
        out.append(f"{one['name']}  {one['distribution']} {one['version']}  {one['state']}")
        told = {"module": one["module"], "from": one["home"], "by": one["author"], "licence": one["licence"]}
        told |= {"what": one["summary"], "requires dalr-bench": one["requires"] or "any (it names no range)"}
        out += [f"  {key}: {value}" for key, value in {**told, "why": one["why"]}.items() if value]
    return "".join(f"{line}\n" for line in out)


def listing(catalogue: Catalogue) -> str:
    """Kind, name, origin and one line of every component; then the plugins that were set aside, with the reason."""
    rows = [(c.kind, c.name, f"{c.distribution} {c.version}", c.summary) for c in catalogue]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    padded = [[*(text.ljust(width) for text, width in zip(row[:3], widths, strict=True)), row[3]] for row in rows]
    lines = ["  ".join(row).rstrip() for row in padded]
    lines += [f"broken: {name}: {reason}" for name, reason in sorted(catalogue.broken.items())]
    return "".join(f"{line}\n" for line in lines)


def page(component: Component) -> str:
    """All there is to know of one component before it is written in a suite."""
    import inspect

    about = describe(component)
    origin = f"{about['distribution']} {about['version']} ({about['source']})"
    lines = [f"{component.kind} {component.name}, from {origin}", ""]
    lines += [inspect.getdoc(component.factory) or "(no docstring)", ""]
    if not about["options"]:
        lines.append("It has no options.")
    for option in about["options"]:
        default = "required" if option["required"] else f"default {json.dumps(option['default'], ensure_ascii=False)}"
        bounds = f"; {option['bounds']}" if option["bounds"] else ""
        refers = f"; names one of the suite's {option['refers']}" if option["refers"] else ""
        lines.append(f"  {option['name']}: {option['type']}; {default}{bounds}{refers}")
    if about["injected"]:
        lines += ["", f"Given by the harness, never written in a suite: {', '.join(about['injected'])}."]
    return "\n".join(lines)


def describe(component: Component) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "kind": component.kind,
        "name": component.name,
        "distribution": component.distribution,
        "version": component.version,
        "summary": component.summary,
        "source": _source(component),
        "options": [_option(component, name) for name in component.schema.model_fields],
        "injected": sorted(component.injected),
        "was": {old: renamed.new for old, renamed in component.was.items()},
    }


def _option(component: Component, name: str) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python

    from dalr_bench.plugin.registry import field_bounds
    from dalr_bench.types import Ref

    field = component.schema.model_fields[name]
    marker = component.markers.get(name)
    return {
        "name": name,
        "type": _type(field.annotation),
        "required": field.is_required(),
        "default": None if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True)),
        "bounds": field_bounds(field),
        "refers": marker.section if isinstance(marker, Ref) else None,
    }


def _type(hint: Any) -> str:
    """`list[str]`, `'mean' | 'sum'`, `float | None`: a type as the signature has it, without module names."""
    import types
    import typing

    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " | ".join(map(repr, arguments))
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_type, arguments))
    if origin is not None:
        return f"{_type(origin)}[{', '.join(map(_type, arguments))}]"
    if hint is type(None):
        return "None"
    return str(getattr(hint, "__name__", hint))


def _source(component: Component) -> str:
    return f"{component.factory.__module__}.{getattr(component.factory, '__qualname__', component.name)}"


def _named(catalogue: Catalogue, name: str) -> list[Component]:
    """Components of that name (`kind/name` where two kinds share it). Raises PluginError with the nearest known one."""
    from dalr_bench.errors import PluginError, nearest

    found = [c for c in catalogue if name in (c.name, f"{c.kind}/{c.name}")]
    if found:
        return found
    aside = [f"{plugin} was set aside: {reason}" for plugin, reason in catalogue.broken.items()]
    known = nearest(name, (component.name for component in catalogue))
    raise PluginError(" ".join([f"no component is called '{name}'.", known, *aside]))
