"""The frozen teachers of a config: which sides its losses look at, each asked once and stored, opened again as banks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from dalr_bench.data.building import Progress
from dalr_bench.data.features import Ask, FeatureStore, RowType, feature_store
from dalr_bench.data.teachers import TeacherBank, combining_order, resident
from dalr_bench.errors import SuiteError
from dalr_bench.plugin.manager import Plugins
from dalr_bench.plugin.registry import references
from dalr_bench.protocols import OpenRun, StoredTeacher
from dalr_bench.train.stages import Stages
from dalr_bench.types import Corpus, Part, Side

Config = Mapping[str, Any]


def part(entry: Mapping[str, Any]) -> Part:
    """A component entry of a resolved config."""
    return Part(entry["name"], entry["options"])


@dataclass
class Teaching:
    """Stores that were opened are kept as long as the process works."""

    plugins: Plugins
    device: torch.device
    data: str | None
    stages: Stages
    _stores: dict[tuple[str, str, Side], FeatureStore] = field(default_factory=dict)
    _lasting: dict[str, Any] = field(default_factory=dict)

    def bank(
        self, config: Config, label: str, corpus: Corpus, trained: OpenRun, progress: Progress | None
    ) -> TeacherBank:
        """The teachers a stream's losses look at, with the sides they look at."""
        return self._bank(config, self._sides(config, label), corpus, _asking(config, trained, progress))

    def pictures(self, config: Config, name: str, corpus: Corpus, trained: OpenRun) -> torch.Tensor:
        """One image teacher's rows of all pictures of a corpus, [n, E]; stored like those of a stream."""
        sides: dict[str, set[Side]] = {}
        self._ask(config, name, "image", sides)
        every = torch.arange(len(corpus.images or ()), device=self.device)
        rows = self._bank(config, sides, corpus, _asking(config, trained, None)).gather(every, every)[name].image_NE
        if rows is None:
            raise SuiteError(f"teachers.{name}: has no image side")
        return rows

    def image_teacher(self, loss: Mapping[str, Any]) -> str | None:
        """The image teacher a loss of a config names; None where it names none."""
        found = self.plugins.catalogue.get("loss", loss["name"])
        named = (
            name
            for _, ref, name in references(found, loss["options"])
            if ref.section == "teachers" and ref.side == "image"
        )
        return next(named, None)

    def _bank(self, config: Config, sides: Mapping[str, set[Side]], corpus: Corpus, asking: _Asking) -> TeacherBank:
        parts = {name: self._parts_of(config["teachers"][name]) for name in sides}
        combined = {name: names for name, names in parts.items() if names}
        stored = {}
        for name in sides:
            if name not in combined:
                entry = config["teachers"][name]
                stored[name] = resident(
                    {side: self._store(entry, side, corpus, asking) for side in sorted(sides[name])},
                    self.device,
                )
        order = combining_order(combined)
        return TeacherBank(stored, {name: self._teacher(config["teachers"][name], asking.trained) for name in order})

    def _sides(self, config: Config, stream: str) -> dict[str, set[Side]]:
        """Which side of which teacher the losses active on a stream refer to; a blend hands its sides to its parts."""
        out: dict[str, set[Side]] = {}
        for loss in config["losses"].values():
            if loss["on"] is not None and stream not in loss["on"]:
                continue
            found = self.plugins.catalogue.get("loss", loss["name"])
            for _, ref, name in references(found, loss["options"]):
                if ref.section == "teachers":
                    self._ask(config, name, ref.side or "text", out)
        return out

    def _ask(self, config: Config, name: str, side: Side, sides: dict[str, set[Side]]) -> None:
        sides.setdefault(name, set()).add(side)
        for inner in self._parts_of(config["teachers"][name]):
            self._ask(config, inner, side, sides)

    def _parts_of(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        found = self.plugins.catalogue.get("teacher", entry["name"])
        return tuple(name for _, ref, name in references(found, entry["options"]) if ref.section == "teachers")

    def _teacher(self, entry: Mapping[str, Any], trained: OpenRun, device: torch.device | None = None) -> Any:
        where = device or self.device
        return self.plugins.catalogue.build("teacher", part(entry), device=where, trained=trained, data=self.data)

    def _store(self, entry: Mapping[str, Any], side: Side, corpus: Corpus, asking: _Asking) -> FeatureStore:
        trained = asking.trained
        who = json.dumps(
            {**entry, "runs": getattr(trained, "runs", None) if self._is_run(entry) else None}, sort_keys=True
        )
        key = (f"{who}|{asking.rows}", corpus.fingerprint, side)
        if corpus.stores is not None:
            return self._built(entry, side, corpus, asking, who)
        if key not in self._stores:
            self._stores[key] = self._built(entry, side, corpus, asking, who)
        return self._stores[key]

    def _built(self, entry: Mapping[str, Any], side: Side, corpus: Corpus, asking: _Asking, who: str) -> FeatureStore:
        trained = asking.trained
        teacher = self._asked(entry, trained, who, corpus)
        whole = teacher.stored_rows if isinstance(teacher, StoredTeacher) else None
        if whole is not None and corpus.stores is not None:
            raise SuiteError(
                f"teacher '{entry['name']}' holds the rows of a whole corpus, which cannot be matched with a stream in windows"
            )
        encode: Any = getattr(teacher, f"encode_{side}", whole)
        if encode is None:
            raise SuiteError(f"teacher '{entry['name']}' has no {side} side (it gives no encode_{side})")
        more = [getattr(self._teacher(entry, trained, where), f"encode_{side}") for where in self._others(entry)]
        known_by = f"{entry['name']}|{self._known_by(entry, teacher, who)}"
        ask = Ask(side, known_by, encode, whole, asking.rows, more if whole is None else ())
        with self.stages.part("teachers"):
            return feature_store(ask, corpus, asking.progress)

    def _asked(self, entry: Mapping[str, Any], trained: OpenRun, who: str, corpus: Corpus) -> Any:
        """A teacher, opened for a corpus; while windows come, it stays open for the next one."""
        if corpus.stores is None:
            return self._teacher(entry, trained)
        if who not in self._lasting:
            self._lasting[who] = self._teacher(entry, trained)
        return self._lasting[who]

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Teachers of windows stay open inside of the block and go at its end."""
        try:
            yield
        finally:
            self.dismiss()

    def dismiss(self) -> None:
        """No window comes any more."""
        self._lasting.clear()

    def _known_by(self, entry: Mapping[str, Any], teacher: Any, who: str) -> str:
        """A teacher's own fingerprint; without one its options and the distribution whose code answers."""
        found = self.plugins.catalogue.get("teacher", entry["name"])
        own: str | None = getattr(teacher, "fingerprint", None)
        return own or f"{who}|{found.distribution} {found.version}"

    def _others(self, entry: Mapping[str, Any]) -> list[torch.device]:
        """Further devices a teacher is asked on: all this process sees, unless it shares the work with other processes."""
        if self.device.type != "cuda" or "WORLD_SIZE" in os.environ or self._is_run(entry):
            return []
        first = self.device.index or torch.cuda.current_device()
        return [torch.device("cuda", number) for number in range(torch.cuda.device_count()) if number != first]

    def _is_run(self, entry: Mapping[str, Any]) -> bool:
        found = self.plugins.catalogue.get("teacher", entry["name"])
        return any(ref.section == "variants" for _, ref, _ in references(found, entry["options"]))


@dataclass(frozen=True)
class _Asking:
    """For whom teachers are asked: the runs they may be, who is told how far it is, and how rows are kept."""

    trained: OpenRun
    progress: Progress | None
    rows: RowType


def _asking(config: Config, trained: OpenRun, progress: Progress | None) -> _Asking:
    return _Asking(trained, progress, config["train"].get("teacher_rows", "fp32"))
