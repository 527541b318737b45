"""The form of `config.json`: who reads one of a results folder that somebody sent may look up names and options in it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Required

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class Entry(TypedDict, total=False):
    """A component and its options."""

    name: Required[str]
    options: Required[dict[str, Any]]


class Config(TypedDict, total=False):
    """What is named here has this form where it is there; the rest is free."""

    suite: str
    variant: str
    seed: int
    axes: dict[str, str]
    backbone: Entry
    streams: dict[str, Entry]
    teachers: dict[str, Entry]
    losses: dict[str, Entry]
    train: dict[str, Any]
    evaluate: list[Entry]


@cache
def _adapter() -> TypeAdapter[Config]:
    from pydantic import TypeAdapter

    return TypeAdapter(Config)


def fault_of(config: dict[str, Any]) -> str | None:
    """The first place where a config has another form, in a line; None where it has none."""
    from pydantic import ValidationError

    try:
        _adapter().validate_python(config, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None
