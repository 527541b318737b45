"""What a check is handed: the component, a way to build it anew, and a note of the input that is being tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dalr_bench.plugin.registry import Catalogue, Component


class BrokenError(Exception):
    """A contract is not kept. `what` says how; the input that broke it is the bench's note."""


class UncheckedError(Exception):
    """A check that cannot be made here, and why."""


@dataclass
class Bench:
    """One component under test. `note` is set before each call, so that whatever is raised is told with its input."""

    catalogue: Catalogue
    component: Component
    options: Mapping[str, Any]
    device: str = "cpu"
    data: str | None = None
    note: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    _kept: Any = None

    def build(self, seed: int = 0, **given: Any) -> Any:
        """A new object, with torch seeded as the harness does before it builds anything."""
        import torch

        torch.manual_seed(seed)
        wanted = {name: value for name, value in {**self.given(), **given}.items() if name in self.component.injected}
        return self.component.factory(**self.options, **wanted)

    def one(self, **given: Any) -> Any:
        """The object most checks share."""
        if self._kept is None:
            self._kept = self.build(**given)
        return self._kept

    def given(self) -> dict[str, Any]:
        """What the harness injects into any kind, as far as a name of the signature asks for it."""
        from dalr_bench.conformance.stand_ins import DIMS, SENTENCES, VOCABULARY, trained

        values: dict[str, Any] = {"data": self.data, "device": self.device, "dims": DIMS, "vocabulary": VOCABULARY}
        values |= {"sentences": SENTENCES, "jobs": 2, "trained": trained, "catalogue": self.catalogue}
        return {**values, "perform": lambda task, report: ("done", None)}

    def need(self, holds: bool, what: str) -> None:
        """Raise BrokenError unless it holds."""
        if not holds:
            raise BrokenError(what)


Check = Callable[[Bench], None]
