"""A process that runs folders: by whatever executor it was started, it is the same hand on the same tools."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalr_bench.types import Ending

if TYPE_CHECKING:
    from dalr_bench.plugin.manager import Plugins
    from dalr_bench.protocols import Report
    from dalr_bench.record.record import Record
    from dalr_bench.workshop import Workshop


@dataclass
class Hand:
    """Runs folders one after another. What runs share (corpora, stores) is opened once; torch is imported for the first.

    `device` is auto, cpu or cuda. `plugins` are loaded, and the trackers of DALR_BENCH_TRACKERS attached, where none are given.
    Of several processes under torchrun the first one has the folders; the others `follow` it. `shard`: whether they cut weights.
    """

    device: str
    report: Report
    plugins: Plugins | None = None
    shard: str | None = None
    _shop: Workshop | None = field(default=None, init=False)

    def run(self, folder: str) -> Ending:
        """One run folder in, one record out; its ending is also told as the event `end`."""
        from dalr_bench.pipeline import perform
        from dalr_bench.together import together

        with together(self.workshop().group, folder):
            record = perform(Path(folder), self.workshop(), self.report)
        ending = ending_of(record)
        self.report({"event": "end", "run_id": record.run_id, **ending._asdict(), "peak": _peak(record)})
        return ending

    def follow(self) -> int | None:
        """Where this is not the first of several processes, do what that one says, to the end; the exit code. Else None."""
        from dalr_bench.following import Follower
        from dalr_bench.together import following

        line = self.workshop().group.line
        if line is None or line.rank == 0:
            return None
        return following(Follower(self.workshop(), line).follow)

    def leave(self, code: int = 0) -> bool:
        """No further folder comes; `code` is what the others are to end with. Whether all of them heard it."""
        from dalr_bench.together import dismiss

        return dismiss(self.workshop().group, code)

    def workshop(self) -> Workshop:
        """The tools, made at the first call."""
        if self._shop is None:
            from dalr_bench.train.device import choose
            from dalr_bench.train.distributed import join, own_device
            from dalr_bench.workshop import Workshop

            plugins = self.plugins or self._load()
            device = own_device(choose(self.device))
            self._shop = Workshop(plugins, device, os.environ.get("DALR_BENCH_DATA"), join(device, self.shard))
        return self._shop

    def _load(self) -> Plugins:
        from dalr_bench.plugin.manager import load
        from dalr_bench.plugin.trackers import asked_for, attach

        plugins = load()
        attach(plugins, asked_for(), lambda run, text: self.report({"event": "warning", "run_id": run, "text": text}))
        return plugins


def ending_of(record: Record | None) -> Ending:
    """What a record says of its task. None: the process that had it left nothing behind."""
    if record is None:
        return Ending("failed", "it left no record", "lost")
    if record.status == "done":
        return Ending("done")
    trouble: Any = record.extra.get("trouble", "bug")
    return Ending("failed", record.error, trouble)


def _peak(record: Record) -> int | None:
    found = record.extra.get("bytes")
    return found.get("peak") if isinstance(found, dict) else None
