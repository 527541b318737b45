"""The kit: finds what is to be checked, checks each in a process with a time limit, and gathers what was found."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from dalr_bench.conformance.options import sample_options
from dalr_bench.conformance.process import Event, Nursery
from dalr_bench.errors import PluginError, nearest
from dalr_bench.plugin.manager import BLOCK, IMPORT_LIMIT, blocked, load
from dalr_bench.plugin.origin import Origin, origins, plain

LIMIT = 60.0
# After one of these there is nothing to look into further.
_FATAL = frozenset({"plugin.import", "plugin.hooks", "plugin.names", "options.closed", "time.bounded"})


@dataclass(frozen=True)
class Finding:
    """What became of one contract: kept, broken or unchecked; `input` is what was tried when it broke."""

    contract: str
    state: str
    what: str = ""
    input: str = ""


@dataclass
class Verdict:
    """All findings about one plugin (`NAME of DISTRIBUTION VERSION`) or one component (`kind/name`)."""

    subject: str
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    components: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.state == "broken"]


@dataclass(frozen=True)
class Asked:
    """How to check: seconds a check may take, device, folder of data, and options for components that need some."""

    limit: float = LIMIT
    device: str = "cpu"
    data: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def conforms(component: str, **options: Any) -> None:
    """Check one component, `kind/name`, with these options. Raises AssertionError that names every broken contract."""
    broken = [finding for verdict in check([component], Asked(options=options)) for finding in verdict.broken]
    told = [f"{item.contract}: {item.what}" + (f" [input: {item.input}]" if item.input else "") for item in broken]
    if told:
        raise AssertionError("\n".join([f"{component} does not keep the contract:", *told]))


def check(names: Sequence[str] = (), asked: Asked | None = None) -> list[Verdict]:
    """Verdicts on these plugins and components (distribution, entry point, `name` or `kind/name`); without names on every
    plugin that is not ours. A plugin whose import or registration breaks is not looked into further.

    Raises PluginError for a name nothing installed has.
    """
    known = tuple(origin for origin in origins() if not blocked(origin))
    with ExitStack() as stack:
        kit = Kit(known, asked or Asked(), stack)
        if not names:
            return [verdict for origin in known if not origin.ours for verdict in kit.whole(origin)]
        return [verdict for name in names for verdict in kit.named(name)]


@dataclass
class Kit:
    """One round of checks: what is installed, how to check, and the processes that are started when first needed."""

    known: Sequence[Origin]
    asked: Asked
    stack: ExitStack
    _nurseries: dict[bool, Nursery] = field(default_factory=dict)

    def named(self, name: str) -> list[Verdict]:
        """Verdicts on what bears this name. Raises PluginError where nothing does."""
        origin = next((one for one in self.known if name == one.name or plain(name) == plain(one.distribution)), None)
        if origin is not None:
            return self.whole(origin)
        catalogue = load().catalogue
        components = {f"{item.kind}/{item.name}": item for item in catalogue}
        chosen = [full for full, item in components.items() if name in (full, item.name)]
        if not chosen:
            aside = "; ".join(f"{plugin} is set aside: {why}" for plugin, why in catalogue.broken.items())
            names = [*(one.name for one in self.known), *(item.name for item in components.values())]
            raise PluginError(f"no plugin or component is called '{name}'. {nearest(name, names)} {aside}".rstrip())
        owners = {one.distribution: one for one in self.known}
        return [self.component(full, owners[components[full].distribution]) for full in chosen]

    def whole(self, origin: Origin) -> list[Verdict]:
        """The plugin, then each of its components."""
        about = Verdict(origin.title)
        # Its import is watched by the child itself: as a plugin it is blocked there, like every stranger.
        _gather(about, self._talk({"plugin": origin.name, "block": self._others(None)}))
        verdicts = [about]
        if not _FATAL & {finding.contract for finding in about.broken}:
            verdicts += [self.component(name, origin) for name in about.components]
        return verdicts

    def component(self, full: str, owner: Origin) -> Verdict:
        """What is found about one component."""
        verdict = Verdict(full)
        kind, _, name = full.partition("/")
        with _blocking(self._others(owner)):
            options, why = sample_options(load().catalogue, kind, name, self.asked.options)
        if why:
            verdict.findings.append(Finding("build.works", "unchecked", why))
            return verdict
        order = {"component": full, "options": options, "device": self.asked.device, "data": self.asked.data}
        _gather(verdict, self._talk({**order, "block": self._others(owner)}))
        return verdict

    def _talk(self, order: Mapping[str, Any]) -> list[Event]:
        warm = "component" in order
        if warm not in self._nurseries:
            environment = {**os.environ, BLOCK: self._others(None), IMPORT_LIMIT: "3600"}
            self._nurseries[warm] = self.stack.enter_context(Nursery(warm, environment))
        return self._nurseries[warm].talk(order, self.asked.limit)

    def _others(self, owner: Origin | None) -> str:
        """Strangers other than the one that is looked at are left out."""
        strangers = [one.name for one in self.known if not one.ours and (owner is None or one.name != owner.name)]
        return ",".join(filter(None, [os.environ.get(BLOCK, ""), *strangers]))


def _gather(verdict: Verdict, events: Sequence[Event]) -> None:
    for event in events:
        if event["event"] == "end":
            if event["contract"] != "cost":
                tried = event["input"] if event["state"] == "broken" else ""
                verdict.findings.append(Finding(event["contract"], event["state"], event["what"], tried))
        elif event["event"] == "facts":
            verdict.facts.update(event["facts"])
        elif event["event"] == "components":
            verdict.components.extend(event["names"])


@contextmanager
def _blocking(names: str) -> Iterator[None]:
    """Inside the block these plugins are left out."""
    before = os.environ.get(BLOCK)
    os.environ[BLOCK] = names
    try:
        yield
    finally:
        if before is None:
            del os.environ[BLOCK]
        else:
            os.environ[BLOCK] = before
