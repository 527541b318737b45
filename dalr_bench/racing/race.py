"""The race itself: processes that wait for their turn, one step each in every round, and what came out of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dalr_bench.errors import DataError, SuiteError, TrainingError, counted
from dalr_bench.plugin.registry import Catalogue
from dalr_bench.racing.ours import schedule
from dalr_bench.racing.setting import BARE, COMPILED, OURS, Setting, Track, Wish
from dalr_bench.racing.work import RATE

Row = dict[str, Any]


@dataclass(frozen=True)
class Raced:
    """What was measured: `steps` by side and round, `rates` (FLOP a second) by round, the arithmetic of a step."""

    wish: Wish
    work: Row
    steps: dict[str, list[Row]]
    rates: list[float]


def race(wish: Wish, data: Path | None, catalogue: Catalogue, told: Callable[[str], None] | None = None) -> Raced:
    """Run all sides in turn. Raises SuiteError (too little data), DataError (a file, a model), TrainingError (a side)."""
    sentences = _sentences(data, catalogue)
    steps = wish.warm_up + wish.rounds
    if len(sentences) < wish.batch:
        raise SuiteError(f"{counted(len(sentences), 'sentence')} cannot make one batch of {wish.batch}")
    with TemporaryDirectory(prefix="dalr-bench-race-") as folder, ExitStack() as stack:
        setting = _setting(wish, sentences, steps, Path(folder), catalogue)
        more = [BARE] * bool(wish.teachers) + [COMPILED] * (wish.compile != "none")
        sides = {name: stack.enter_context(_side(name, folder)) for name in (OURS, *more, *setting.rivals)}
        rate = stack.enter_context(_side(RATE, folder))
        for side in (*sides.values(), rate):
            side.listen()
        found: dict[str, list[Row]] = {name: [] for name in sides}
        rates: list[Row] = []
        for number in range(steps):
            for name in _turns(list(sides), number):
                found[name].append(sides[name].step())
            rates.append(rate.step())
            if told is not None:
                told(_round(wish, number))
    after = slice(wish.warm_up, None)
    warm = {name: rows[after] for name, rows in found.items()}
    return Raced(wish, rates[0]["work"], warm, [row["rate"] for row in rates[after]])


def _round(wish: Wish, number: int) -> str:
    if number < wish.warm_up:
        return f"warming up, {number + 1} of {wish.warm_up}"
    return f"round {number + 1 - wish.warm_up} of {wish.rounds}"


def _sentences(data: Path | None, catalogue: Catalogue) -> Sequence[str]:
    if data is not None:
        try:
            lines = data.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{data}: cannot be read: {error}") from error
        return [line.strip() for line in lines if line.strip()]
    source = next((item for item in catalogue if item.kind == "source" and getattr(item.factory, "race", False)), None)
    if source is None:
        raise SuiteError("no source generates sentences here: give a file with --data")
    corpus = source.factory().load()
    return list(dict.fromkeys(corpus.sentences))


def _setting(wish: Wish, sentences: Sequence[str], steps: int, folder: Path, catalogue: Catalogue) -> Setting:
    tracks = (getattr(item.factory, "race", None) for item in catalogue if item.kind == "loss")
    track = next((name for name in tracks if name), None)
    if track is None:
        raise SuiteError("no loss offers a race to run")
    module: Track = import_module(track)
    texts = folder / "sentences.json"
    texts.write_text(json.dumps(list(sentences)), encoding="utf-8")
    plan = schedule(wish, len(sentences), steps)
    batches = [plan.at(step)[1].tolist() for step in range(steps)]
    setting = Setting(wish, sentences=str(texts), batches=batches, **module.prepare(wish, sentences, folder))
    setting.write(folder / "setting.json")
    return setting


def _turns(names: Sequence[str], number: int) -> Sequence[str]:
    """To and fro: what a step leaves in the caches, and how warm the processor is, must not always fall to the same side."""
    return names if number % 2 == 0 else names[::-1]


@dataclass(frozen=True)
class _Process:
    """A side that waits for its turn."""

    name: str
    process: subprocess.Popen[str]
    errors: Path

    def step(self) -> Row:
        """Let it make one step; its report."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, and `listen` says how
        return self.listen()

    def listen(self) -> Row:
        """The next report. Raises TrainingError with its last words where the side has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            lines = [text for text in self.errors.read_text(errors="replace").splitlines() if text.strip()]
            raise TrainingError(f"the side '{self.name}' ended: {lines[-1] if lines else 'without a word'}")
        row: Row = json.loads(line)
        return row


@contextmanager
def _side(name: str, folder: str) -> Iterator[_Process]:
    setting = Path(folder) / "setting.json"
    threads = str(json.loads(setting.read_text())["wish"]["threads"])
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
    }
    errors = Path(folder) / f"{name.replace(' ', '-')}.err"
    command = [sys.executable, "-m", "dalr_bench.racing.worker", str(setting), name]
    with errors.open("w") as words:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True, env=environment
        )
        try:
            yield _Process(name, process, errors)
        finally:
            assert process.stdin is not None
            try:
                process.stdin.close()
                process.wait(20)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                process.kill()
                process.wait()
            finally:
                assert process.stdout is not None
                process.stdout.close()
