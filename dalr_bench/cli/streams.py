"""The three streams of a process: there from the beginning, and at the end whoever read them may be gone."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import IO

import click

from dalr_bench.errors import EXIT_SOME_FAILED


def open_all() -> None:
    """Streams that were closed before we began (`>&-`) lead nowhere. Else a file of ours would get such a number, and what
    a library prints would go into it. What a stream's encoding cannot say (an arrow, half a file name) is told by its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def read_by_someone() -> Iterator[None]:
    """A reader that left (`| head`) ends the command quietly: nothing went wrong, and nothing more can be said.

    A pipe that broke elsewhere is a fault like others.
    """
    try:
        yield
    except BrokenPipeError as error:
        if not _lead_nowhere():
            raise OSError(f"a pipe broke: {error}") from error
        raise click.exceptions.Exit(0) from None


def flushed(code: int) -> int:
    """The exit code, after what is still to be written was: a disk that is full by then (`> FILE`) is an ending of its own."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        _divert(sys.stdout)
        code = code or EXIT_SOME_FAILED
        with suppress(OSError):
            click.echo(f"error: standard output: {error.strerror}", err=True)
    _lead_nowhere()
    return code


def _lead_nowhere() -> bool:
    """Streams whose reader is gone lead nowhere from now on; whether there were any."""
    gone = [stream for stream in (sys.stdout, sys.stderr) if _unread(stream)]
    for stream in gone:
        _divert(stream)
    return bool(gone)


def _unread(stream: IO[str]) -> bool:
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return False  # no stream of the process's own: text kept in memory
    if not hasattr(select, "poll"):
        return True  # Windows cannot be asked
    asked = select.poll()
    asked.register(number, 0)  # that the other end is closed is told unasked
    return bool(asked.poll(0))


def _divert(stream: IO[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
