"""One pass over a stream in windows against the same corpus held whole: rows a second, peak disk, peak memory.

    python tools/measure_stream.py make FILE SHARDS --rows 1000000
    python tools/measure_stream.py pass SHARDS --rows 1000000 --window 100000    (0: held whole)

`make` writes tar shards of 10,000 captions (FILE's lines, again with a number in front until there are enough). `pass` gathers
every batch of one pass and trains on the first `--train` of them; a teacher's 384 columns cost next to nothing, so that what is
measured is reading, tokenising and storing. Prints JSON. Peak disk is the cache folder's, looked at ten times a second; memory is
the process's high-water mark.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_SHARD, _WIDTH, _BATCH = 10_000, 384, 512

SUITE = """\
suite: measured
base:
  backbone: {{name: hf, layers: 1, hidden: 32, heads: 2, feed_forward: 32, vocabulary_size: 8000}}
  streams:
    text: {{name: webdataset, root: "{folder}", shards: "*.tar", streaming: {streaming}, window: {window}, rows: {rows}}}
  teachers: {{cheap: {{name: cheap}}}}
  losses: {{info: {{name: infonce}}, soft: {{name: listnet, teacher: cheap}}}}
  train: {{epochs: 1, batch: {batch}, account_every: 0}}
  evaluate: []
"""


class Cheap:
    """A teacher of random rows."""

    fingerprint = "cheap"

    def encode_text(self, sentences: list[str]) -> Any:
        """[n, 384]."""
        import torch

        return torch.randn(len(sentences), _WIDTH, generator=torch.Generator().manual_seed(len(sentences[0])))


def make(file: Path, folder: Path, rows: int) -> None:
    """The shards."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, rows, _SHARD):
        with tarfile.open(folder / f"{first // _SHARD:05}.tar", "w") as tar:
            for row in range(first, min(rows, first + _SHARD)):
                again, line = divmod(row, len(lines))
                content = (f"{again} {lines[line]}" if again else lines[line]).encode()
                info = tarfile.TarInfo(f"{row:09}.txt")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


class Disk:
    """The most bytes a folder held while this was looking."""

    def __init__(self, folder: Path) -> None:
        self.peak, self._folder, self._over = 0, folder, threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            total = 0
            for folder, _, files in os.walk(self._folder):  # unlike rglob it bears that folders go meanwhile
                for name in files:
                    with suppress(OSError):
                        total += os.stat(os.path.join(folder, name)).st_size
            self.peak = max(self.peak, total)

    def stop(self) -> int:
        """The bytes; looks no more."""
        self._over.set()
        return self.peak


def _no_run(variant: str, seed: int | None) -> Any:
    """No teacher of this suite is a run."""
    raise LookupError(variant)


def one_pass(folder: Path, rows: int, window: int, train: int) -> dict[str, Any]:
    """Go through one pass and say what it took."""
    import torch

    from dalr_bench.plugin.manager import load
    from dalr_bench.streaming import Streaming, leaving
    from dalr_bench.suite import expand
    from dalr_bench.suite import load as load_suite
    from dalr_bench.train.engine import Engine
    from dalr_bench.train.optim import optimizer
    from dalr_bench.workshop import Workshop, train_options

    plugins = load()
    plugins.catalogue.add("teacher", "cheap", Cheap, "measured", "0")
    suite = folder / "measured.yaml"
    text = SUITE.format(folder=folder, streaming=str(window > 0).lower(), window=window or 2, rows=rows, batch=_BATCH)
    suite.write_text(text)
    config = expand(load_suite(str(suite)), plugins.catalogue).runs[0].config
    waited = _watched(Streaming)
    started, cpu = time.perf_counter(), time.process_time()
    workshop = Workshop(plugins, torch.device("cpu"))
    built = workshop.build(config, _no_run)
    options = train_options(config)
    schedule = workshop.schedule(built, options, 0)
    streams = workshop.streams(built)
    prepared = time.perf_counter() - started
    engine = Engine(built.student, built.objective, streams, schedule, options, 0, workshop.device)
    adam = optimizer(engine.student, engine.objective, options)
    with leaving(streams):
        for step in range(schedule.steps):
            engine.stream(step)
            if step < train:
                engine.update(step, adam)
            else:
                engine.batch(step)
    seconds = time.perf_counter() - started
    return {
        "rows": rows, "window": window, "steps": schedule.steps, "seconds": seconds, "rows_per_second": rows / seconds,
        "cpu_seconds": time.process_time() - cpu, "before_the_first_step": prepared + waited[0] if waited else prepared,
        "between_windows": sum(waited[1:]), "turns": len(waited),
        "peak_memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }  # fmt: skip


def _watched(kind: Any) -> list[float]:
    """Seconds of each turn from one window to the next, as they come."""
    found: list[float] = []
    turn: Callable[..., None] = kind._turn

    def timed(self: Any, key: tuple[int, int]) -> None:
        started = time.perf_counter()
        turn(self, key)
        found.append(time.perf_counter() - started)

    kind._turn = timed
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, places in (("make", ["file", "folder"]), ("pass", ["folder"])):
        inner = kinds.add_parser(kind)
        for place in places:
            inner.add_argument(place, type=Path)
        inner.add_argument("--rows", type=int, default=1_000_000)
        inner.add_argument("--window", type=int, default=100_000)
        inner.add_argument("--train", type=int, default=0)
    given = parser.parse_args()
    if given.kind == "make":
        make(given.file, given.folder, given.rows)
        return
    with tempfile.TemporaryDirectory() as cache:
        os.environ["DALR_BENCH_CACHE"] = cache
        disk = Disk(Path(cache))
        found = one_pass(given.folder.resolve(), given.rows, given.window, given.train)
        found["peak_disk"] = disk.stop()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
