"""The command line in this process, watched: what it says, how it ends, where it writes, how long it takes."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from dalr_bench.cli.main import main

# Processor seconds after which a command counts as hanging: a hundred times what it takes.
MOST_SECONDS = 20.0
# Flags of `open` that make or change a file.
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Events that change the file system: which of their arguments are paths, and which the folders these start from.
_CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.rename": ((0, 2), (1, 3)), "os.remove": ((0, 1),), "os.mkdir": ((0, 2),), "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),), "os.symlink": ((1, 2),), "os.truncate": ((0, None),), "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),), "os.utime": ((0, 3),), "os.setxattr": ((0, None),),
}  # fmt: skip
# What a terminal would obey: escapes, line moves, text that runs the other way.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TERMINAL = ("/dev/", "/proc/")


@dataclass(frozen=True)
class Done:
    """How a command ended. `outside` are the paths it changed that lie in none of its folders; `fault` is a traceback,
    a hang, or another broken promise, empty where there is none."""

    code: int
    out: str
    err: str
    outside: tuple[str, ...]
    fault: str


class Hang(BaseException):
    """Raised in the middle of whatever takes too long; no handler for exceptions stops it."""


class _Watch:
    """Paths changed while it is on. An audit hook cannot be taken off again, so there is one for the process."""

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[0], str | bytes) and (arguments[2] or 0) & _WRITES:
            flags = arguments[2]
            follows = not flags & os.O_EXCL and not flags & getattr(os, "O_NOFOLLOW", 0)
            self.seen.append(os.path.realpath(arguments[0]) if follows else os.fsdecode(arguments[0]))
        for place, start in _CHANGES.get(event, ()):
            if isinstance(arguments[place], str | bytes | os.PathLike):
                number = -1 if start is None else arguments[start]
                folder = os.readlink(f"/proc/self/fd/{number}") if isinstance(number, int) and number >= 0 else ""
                self.seen.append(os.path.join(folder, os.fsdecode(arguments[place])))


_watch = _Watch()
sys.addaudithook(_watch)


def call(arguments: Sequence[str | Path], folders: Sequence[Path]) -> Done:
    """Run the command; it may change files in `folders` only (links are followed)."""
    out, err = _stream("strict"), _stream("backslashreplace")
    given, fault, code = [str(argument) for argument in arguments], "", 0
    _watch.seen = []
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _limited(), _quiet(), _styled():
        try:
            main(given)
        except SystemExit as left:
            code = int(left.code or 0)
        except Hang:
            fault = f"took more than {MOST_SECONDS} s of processor time"
        except BaseException:
            fault = traceback.format_exc()
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]  # type: ignore[attr-defined]
    outside = tuple(path for path in dict.fromkeys(_watch.seen) if not _within(path, folders))
    return Done(code, *texts, outside, fault or _broken(code, *texts))


def _stream(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def late(number: int, frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, late), signal.getsignal(signal.SIGTERM)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    _watch.on = True
    try:
        yield
    finally:
        _watch.on = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGTERM, before[1])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Libraries may warn, as they do for a user; the numbers of a stranger's suite are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _styled() -> Any:
    """On a terminal click sends escapes on as they are; elsewhere it would hide ours."""
    return mock.patch("click.utils.should_strip_ansi", return_value=False)


def _within(path: str, folders: Sequence[Path]) -> bool:
    """The parent is resolved, not the last name: a rename over a link replaces the link."""
    if path.startswith(_TERMINAL):
        return True
    place = Path(os.path.realpath(os.path.dirname(os.path.abspath(path)))) / os.path.basename(path)
    return any(place.is_relative_to(os.path.realpath(folder)) for folder in folders)


def _broken(code: int, out: str, err: str) -> str:
    """Promises every command keeps."""
    if code not in (0, 1, 2, 3, 4, 5):
        return f"exit code {code} is none of the contract's"
    if "Traceback (most recent call last)" in out + err:
        return "a traceback was shown"
    if (bad := _STEERING.search(out + err)) is not None:
        return f"the terminal is sent {bad.group()!r}: {(out + err)[max(0, bad.start() - 60) : bad.end() + 20]!r}"
    if code > 1 and not err.strip():
        return f"exit code {code} without a word"
    if code == 0 and re.search(r"^(error|Error)[: ]", err, re.MULTILINE):
        return "an error was told, and the exit code is 0"
    return ""
