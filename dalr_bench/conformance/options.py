"""Options to build a component with: its defaults, stand-ins for entries of a suite, and what its author gives."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from dalr_bench.plugin.registry import Catalogue, Component
from dalr_bench.types import DataFile, Part

# Names the stand-ins of a suite go by (stand_ins.py).
_NAMES: Mapping[str, tuple[str, ...]] = {
    "teachers": ("teacher", "other"),
    "losses": ("space",),
    "streams": ("stream",),
    "variants": ("variant",),
}


def sample_options(catalogue: Catalogue, kind: str, name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Validated options, and why there are none: an option without a default that nobody can guess."""
    component = catalogue.get(kind, name)
    options = dict(given)
    for option, field in component.schema.model_fields.items():
        if option in options or not field.is_required():
            continue
        marker = component.markers.get(option)
        if marker is None or isinstance(marker, DataFile):
            needed = [o for o, f in component.schema.model_fields.items() if f.is_required() and o not in given]
            return {}, f"needs {', '.join(needed)}: give it with `--option {option}=VALUE`"
        options[option] = _stand_in(component, option, _NAMES[marker.section])
    filled, faults = catalogue.validate(kind, Part(name, options))
    return filled, "; ".join(f"option {path}: {what}" for path, what in faults)


def _stand_in(component: Component, option: str, names: tuple[str, ...]) -> Any:
    """One name, or as many as the option's form holds."""
    hint = component.schema.model_fields[option].annotation
    forms = [hint, *typing.get_args(hint)]
    origins = {typing.get_origin(form) for form in forms}
    if dict in origins:
        return dict.fromkeys(names, 1.0)
    return list(names) if list in origins else names[0]
