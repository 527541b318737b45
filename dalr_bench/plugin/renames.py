"""Old names of components and options: they work for the minor version that renamed them, with a warning, and no longer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from dalr_bench.types import Was


@dataclass(frozen=True, slots=True)
class Renamed:
    """What an old name is called now, the version that renamed it, and the version of the distribution at hand."""

    new: str
    since: str
    version: str

    @property
    def until(self) -> str:
        """The tail of the warning."""
        return f" (since {self.since}); the old name goes with the next minor version"


def still_works(renamed: Renamed) -> bool:
    """Whether the distribution is still of the minor version that renamed it, or older; unknown versions are taken to be."""
    here, since = _minor(renamed.version), _minor(renamed.since)
    return here is None or since is None or here <= since


def _minor(version: str) -> tuple[int, int] | None:
    from packaging.version import InvalidVersion, Version

    try:
        found = Version(version)
    except InvalidVersion:
        return None
    return found.major, found.minor


def option_names(schema: type[BaseModel], version: str) -> Mapping[str, Renamed]:
    """Old option names by the `Was` in their `Annotated`."""
    found: dict[str, Renamed] = {}
    for name, field in schema.model_fields.items():
        marks: list[Any] = [mark for mark in field.metadata if isinstance(mark, Was)]
        found |= {mark.name: Renamed(name, mark.since, version) for mark in marks}
    return found
