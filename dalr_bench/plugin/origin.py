"""Where a plugin comes from, read from the metadata of installed distributions: none of its code runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from dalr_bench.plugin.spec import PROJECT

OURS = "dalr_bench_plugins"
_NAME = "dalr-bench"


@dataclass(frozen=True)
class Origin:
    """One entry point of the group `dalr_bench` and the distribution it belongs to."""

    entry: EntryPoint

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def module(self) -> str:
        return self.entry.value

    @cached_property
    def distribution(self) -> str:
        return self.entry.dist.name if self.entry.dist else "unknown"

    @cached_property
    def version(self) -> str:
        return self.entry.dist.version if self.entry.dist else "unknown"

    @property
    def ours(self) -> bool:
        return self.name == OURS

    @property
    def title(self) -> str:
        """`word_length of word-length 1.0`."""
        return f"{self.name} of {self.distribution} {self.version}"

    @cached_property
    def asks(self) -> str | None:
        """The range of dalr-bench it requires (`>=0.1,<0.2`; empty: any), None where it requires none."""
        found = [ask for ask in self._requirements if plain(ask.name) == _NAME]
        return ",".join(sorted(str(ask.specifier) for ask in found)) if found else None

    @cached_property
    def outside(self) -> str:
        """Why this version of dalr-bench is not one it works with; empty where it is."""
        from packaging.specifiers import SpecifierSet

        from dalr_bench import __version__

        here = __version__
        if self.ours or not self.asks or SpecifierSet(self.asks).contains(here, prereleases=True):
            return ""
        return f"works with dalr-bench {self.asks}, this is {here}: install a {self.distribution} for it"

    @cached_property
    def requires(self) -> frozenset[str]:
        """Distributions it may count on: those it requires (extras too), and what dalr-bench itself always brings."""
        from importlib.metadata import requires

        from packaging.requirements import Requirement

        brought = {plain(Requirement(line).name) for line in requires(_NAME) or () if "extra ==" not in line}
        return frozenset({plain(ask.name) for ask in self._requirements} | brought | {_NAME})

    @cached_property
    def home(self) -> str:
        """The folder it was installed from or into."""
        dist: Any = self.entry.dist
        return str(dist.locate_file("")) if dist else "unknown"

    @cached_property
    def about(self) -> dict[str, str]:
        """Summary, author and licence as the distribution states them; empty where it does not."""
        meta: Any = self.entry.dist.metadata if self.entry.dist else {}
        author = meta.get("Author") or meta.get("Author-email") or ""
        licence = meta.get("License-Expression") or meta.get("License") or ""
        return {"summary": meta.get("Summary") or "", "author": author, "licence": licence}

    @cached_property
    def _requirements(self) -> list[Any]:
        from packaging.requirements import InvalidRequirement, Requirement

        out = []
        for line in (self.entry.dist.requires if self.entry.dist else None) or ():
            try:
                out.append(Requirement(line))
            except InvalidRequirement:
                continue  # not ours to judge; pip would not have installed it
        return out


def origins() -> list[Origin]:
    """Every plugin that is installed, ours first. Reads metadata and imports nothing."""
    found = [Origin(entry) for entry in entry_points(group=PROJECT)]
    return sorted(found, key=lambda origin: (not origin.ours, origin.name))


def plain(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
