"""Components by kind and name. The signature is the schema: options are a constructor's parameters, closed and typed."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from dalr_bench.errors import Fault, PluginError, nearest
from dalr_bench.plugin.renames import Renamed, option_names, still_works
from dalr_bench.types import DataFile, Kind, Part, Ref, Was

# Keyword-only parameters of these names are given by the harness and can never be written in a suite.
INJECTED = frozenset({"device", "dims", "vocabulary", "sentences", "data", "jobs", "perform", "trained", "catalogue"})


@dataclass(frozen=True)
class Component:
    """One registered factory, and the distribution it came from."""

    kind: Kind
    name: str
    factory: Callable[..., Any]
    distribution: str
    version: str
    schema: type[BaseModel]
    injected: frozenset[str]
    markers: Mapping[str, Ref | DataFile]
    was: Mapping[str, Renamed] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.factory) or "").partition("\n")[0]


@dataclass
class Catalogue:
    """All components of this process, and the plugins that were set aside with the reason."""

    components: dict[tuple[str, str], Component] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    renamed: dict[tuple[str, str], Renamed] = field(default_factory=dict)

    def add(
        self,
        kind: Kind,
        name: str,
        factory: Callable[..., Any],
        distribution: str,
        version: str,
        was: Sequence[Was] = (),
    ) -> None:
        """Register one factory. Raises PluginError for a taken name or a signature that cannot be a schema."""
        taken = self.components.get((kind, name))
        if taken is not None:
            raise PluginError(f"{kind} '{name}' is already registered by {taken.distribution}")
        schema, injected, markers = _schema(kind, name, factory)
        options = option_names(schema, version)
        self.components[kind, name] = Component(
            kind, name, factory, distribution, version, schema, injected, markers, options
        )
        self.renamed |= {(kind, old.name): Renamed(name, old.since, version) for old in was}

    def modern(self, kind: str, part: Part) -> tuple[Part, list[tuple[str, str]]]:
        """The part by today's names, and (option path, warning) for each old one that still works."""
        renamed = self.renamed.get((kind, part.name))
        told: list[tuple[str, str]] = []
        if renamed is not None and (kind, part.name) not in self.components and still_works(renamed):
            told.append(("name", f"{kind} '{part.name}' is now called '{renamed.new}'{renamed.until}"))
            part = Part(renamed.new, part.options)
        found = self.components.get((kind, part.name))
        options = dict(part.options)
        for old, now in (found.was if found else {}).items():
            if old in options and now.new not in options and still_works(now):
                options = {now.new if key == old else key: value for key, value in options.items()}
                told.append((old, f"the option '{old}' is now called '{now.new}'{now.until}"))
        return Part(part.name, options), told

    def names(self, kind: str) -> list[str]:
        """Known names of one kind, sorted."""
        return sorted(name for this, name in self.components if this == kind)

    def __iter__(self) -> Iterator[Component]:
        return iter(sorted(self.components.values(), key=lambda item: (item.kind, item.name)))

    def get(self, kind: str, name: str) -> Component:
        """The component of that name. Raises PluginError with the nearest known name and any plugin set aside."""
        found = self.components.get((kind, self.modern(kind, Part(name))[0].name))
        if found is None:
            raise PluginError(self._unknown(kind, name))
        return found

    def _unknown(self, kind: str, name: str) -> str:
        gone = self.renamed.get((kind, name))
        hint = f"It is called '{gone.new}' since {gone.since}." if gone else nearest(name, self.names(kind))
        return f"no {kind} is called '{name}'. {hint}{self._aside()}"

    def _aside(self) -> str:
        if not self.broken:
            return ""
        return (
            " Set aside because they are broken: "
            + "; ".join(f"{k} ({v})" for k, v in sorted(self.broken.items()))
            + "."
        )

    def validate(self, kind: str, part: Part) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Options with defaults filled in, and the faults as (option path, what). Never raises for a user's mistake."""
        part = self.modern(kind, part)[0]
        found = self.components.get((kind, part.name))
        if found is None:
            return dict(part.options), [("name", self._unknown(kind, part.name))]
        try:
            model = found.schema.model_validate(dict(part.options))
        except ValidationError as error:
            return dict(part.options), [_complaint(found, item) for item in error.errors()]
        return model.model_dump(mode="json"), []

    def build(self, kind: str, part: Part, **given: Any) -> Any:
        """Construct a component from validated options; `given` are the injected values it may ask for."""
        found = self.get(kind, part.name)
        wanted = {name: value for name, value in given.items() if name in found.injected}
        options, faults = self.validate(kind, part)
        if faults:
            raise PluginError([Fault(what, path=f"{kind} {part.name}.{path}") for path, what in faults])
        return found.factory(**options, **wanted)


def _complaint(found: Component, item: Mapping[str, Any]) -> tuple[str, str]:
    path = ".".join(map(str, item["loc"]))
    if item["type"] == "extra_forbidden":
        option = str(item["loc"][0])
        gone = found.was.get(option)
        hint = f"It is called '{gone.new}' since {gone.since}." if gone else nearest(option, found.schema.model_fields)
        return path, f"{found.kind} '{found.name}' has no such option. {hint}"
    got = "" if item["type"] == "missing" else f", got {item['input']!r}"
    return path, f"{item['msg']}{got}"


def _schema(
    kind: str, name: str, factory: Callable[..., Any]
) -> tuple[type[BaseModel], frozenset[str], dict[str, Ref | DataFile]]:
    target = factory.__init__ if inspect.isclass(factory) else factory
    if target is object.__init__:
        return create_model(name, __config__=ConfigDict(extra="forbid", strict=True)), frozenset(), {}
    parameters = [p for p in inspect.signature(target).parameters.values() if p.name != "self"]
    injected = frozenset(p.name for p in parameters if p.name in INJECTED and p.kind is p.KEYWORD_ONLY)
    hints = _hints(target, injected)
    fields: dict[str, Any] = {}
    markers: dict[str, Ref | DataFile] = {}
    for parameter in parameters:
        if parameter.name in injected:
            continue
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise PluginError(f"{kind} '{name}': options must be named one by one, not *{parameter.name}")
        if parameter.name not in hints:
            raise PluginError(f"{kind} '{name}': option '{parameter.name}' has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
        marker = _marker(hints[parameter.name])
        if marker is not None:
            markers[parameter.name] = marker
    config = ConfigDict(
        extra="forbid", strict=True, arbitrary_types_allowed=False, protected_namespaces=(), validate_default=True
    )
    return create_model(name, __config__=config, **fields), injected, markers


def _hints(target: Callable[..., Any], injected: frozenset[str]) -> dict[str, Any]:
    """Type hints of the options only: what is injected may be typed by names that exist for the type checker alone."""
    kept = {k: v for k, v in target.__annotations__.items() if k not in injected and k != "return"}
    stand_in = type("Signature", (), {"__annotations__": kept, "__module__": target.__module__})
    return typing.get_type_hints(stand_in, globalns=getattr(target, "__globals__", {}), include_extras=True)


def _marker(hint: Any) -> Ref | DataFile | None:
    """The Ref or DataFile inside `Annotated`, also within list[...] and `| None`."""
    for item in getattr(hint, "__metadata__", ()):
        if isinstance(item, Ref | DataFile):
            return item
    return next((found for inner in typing.get_args(hint) if (found := _marker(inner)) is not None), None)


def field_bounds(info: FieldInfo) -> str:
    """`gt=0, le=1` for help pages."""
    parts = []
    for item in info.metadata:
        parts += [
            f"{key}={getattr(item, key)}"
            for key in ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
            if getattr(item, key, None) is not None
        ]
    return ", ".join(parts)


def references(found: Component, options: Mapping[str, Any]) -> list[tuple[str, Ref, str]]:
    """Every (option, marker, name) by which these options refer to other entries of the suite."""
    out: list[tuple[str, Ref, str]] = []
    for option, marker in found.markers.items():
        if not isinstance(marker, Ref):
            continue
        value = options.get(option)
        names: Sequence[Any] = [] if value is None else list(value) if isinstance(value, list | dict) else [value]
        out += [(option, marker, str(name)) for name in names]
    return out
