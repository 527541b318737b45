"""The progress of a grid: bars on a terminal, plain lines elsewhere. Both say run, step, loss and time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

_SECONDS_BETWEEN_LINES = 10.0


def printable(text: str) -> str:
    """The text with a blank for every character that a terminal obeys instead of showing it."""
    return "".join(c if c.isprintable() else " " for c in text)


class Page(Console):
    """Standard output. A reader that left (`| head`) is told to who called, who ends quietly."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process, with exit code 1."""
        raise BrokenPipeError


class Log(Console):
    """What is said beside the output, on stderr. A run does not end, and does not fail, because nobody reads how it goes."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True


class Display(Protocol):
    """Told every event of a grid; a context manager, so that a terminal is left as it was found."""

    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def event(self, event: Mapping[str, Any]) -> None: ...


def display(total: int, console: Console) -> Display:
    """Bars where the console is a terminal that can redraw a line, lines where it is a dumb one, a file or a pipe."""
    return Bars(total, console) if console.is_terminal and not console.is_dumb_terminal else Lines(total, console)


@dataclass
class Pace:
    """Counts what ended and guesses the time left from what it took so far."""

    total: int
    ended: int = 0
    started: float = field(default_factory=time.monotonic)
    part: dict[str, float] = field(default_factory=dict)

    def see(self, event: Mapping[str, Any]) -> None:
        """Note the share of a run that is done, and runs that end."""
        run = event["run_id"]
        if event["event"] == "step":
            self.part[run] = 0.95 * event["step"] / max(1, event["steps"])
        elif event["event"] == "end":
            self.part.pop(run, None)
            self.ended += 1

    @property
    def left(self) -> str:
        """`2 min 10 s left`, or nothing before there is anything to go by."""
        share = (self.ended + sum(self.part.values())) / max(1, self.total)
        if share < 0.01:
            return "time left unknown"
        return f"{span((time.monotonic() - self.started) * (1 - share) / share)} left"


def span(seconds: float) -> str:
    """A duration for people: `8 s`, `2 min 10 s`, `3 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def describe(event: Mapping[str, Any]) -> str:
    """What a run is at, in a few words."""
    match event["event"]:
        case "step":
            return f"step {event['step']}/{event['steps']}  loss {event['loss']:.4f}"
        case "prepare":
            return f"asking a teacher {event['done']}/{event['total']}"
        case "encode":
            return f"encoding {event['done']}/{event['total']}"
        case "dev":
            return f"step {event['step']}  dev {100 * event['value']:.2f}"
        case "waiting":
            return f"waiting for {event['holder']}"
        case _:
            return str(event.get("stage", event["event"]))


@dataclass
class Bars:
    """One bar for the grid, one for every run at work."""

    total: int
    console: Console
    _progress: Progress = field(init=False)
    _pace: Pace = field(init=False)
    _runs: dict[str, TaskID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[at]}"))
        self._progress = Progress(*columns, console=self.console, transient=True)
        self._pace = Pace(self.total)
        self._all = self._progress.add_task("[bold]all runs", total=self.total, at="")

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def event(self, event: Mapping[str, Any]) -> None:
        self._pace.see(event)
        run = event["run_id"]
        if event["event"] == "end":
            if run in self._runs:
                self._progress.remove_task(self._runs.pop(run))
            if event["status"] != "done":
                told = f"[red]{event['status']}[/red] {escape(run)}: {escape(printable(str(event['error'])))}"
                self.console.print(told, highlight=False)
        elif event["event"] == "retry":
            told = f"[yellow]again[/yellow] {escape(run)} ({event['trouble']}): {escape(printable(str(event['error'])))}"
            self.console.print(told, highlight=False)
        elif event["event"] == "warning":
            self.console.print(f"[yellow]warning[/yellow] {escape(run)}: {escape(printable(event['text']))}", highlight=False)
        else:
            if run not in self._runs:
                self._runs[run] = self._progress.add_task(escape(run), total=1.0, at="")
            done = self._pace.part.get(run, 0.0)
            self._progress.update(self._runs[run], completed=done, at=describe(event))
        at = f"{self._pace.ended}/{self.total}  {self._pace.left}"
        self._progress.update(self._all, completed=self._pace.ended + sum(self._pace.part.values()), at=at)


@dataclass
class Lines:
    """A line when a run ends, and one every few seconds for those at work."""

    total: int
    console: Console
    _pace: Pace = field(init=False)
    _said: float = 0.0

    def __post_init__(self) -> None:
        self._pace = Pace(self.total)

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def event(self, event: Mapping[str, Any]) -> None:
        self._pace.see(event)
        head = f"[{self._pace.ended}/{self.total}]"
        if event["event"] == "end":
            tail = f": {event['error']}" if event["error"] else ""
            self._say(f"{head} {event['status']} {event['run_id']}{tail}  ({self._pace.left})")
        elif event["event"] == "retry":
            self._say(f"{head} again {event['run_id']} ({event['trouble']}): {event['error']}")
        elif event["event"] == "warning":
            self._say(f"{head} warning {event['run_id']}: {event['text']}")
        elif event["event"] == "waiting":
            self._say(f"{head} {event['run_id']}  {describe(event)}")
        elif event["event"] == "step" and time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._say(f"{head} {event['run_id']}  {describe(event)}  ({self._pace.left})")

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
