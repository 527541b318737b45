"""Bytes of an address from front to end, over connections that may end on the way: each goes on where the last one ended."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import HTTPException, InvalidURL
from typing import Any, TypeVar

from dalr_bench_plugins.reading import over_http
from dalr_bench_plugins.reading.addresses import HTTP, filesystem, scheme

# Seconds before each further try; five in a row that bring nothing are enough.
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
# From a byte on: a stream, the size of the whole where it is known, and a mark that changes with the content.
Open = Callable[[int, str], tuple[Any, int | None, str]]
Found = TypeVar("Found")


def open_address(address: str) -> io.RawIOBase:
    """An address to be read from front to end."""
    return Steady(partial(over_http.opened, address) if scheme(address) in HTTP else partial(_from_bucket, address))


def trying(asked: Callable[[], Found]) -> Found:
    """What is asked of a server before anything is read, three times where it may yet answer. Raises what was raised last."""
    for wait in _WAITS[:2]:
        try:
            return asked()
        except Exception as error:
            if not _may_pass(error):
                raise
        time.sleep(wait)
    return asked()


class Steady(io.RawIOBase):
    """A stream that opens its source again where that ended early. Raises OSError with the byte that was reached."""

    def __init__(self, opened: Open) -> None:
        self._open, self._at, self._mark, self._size = opened, 0, "", -1
        self._stream: Any = None
        self._failed = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As of `io.RawIOBase`."""
        while True:
            try:
                found = self._more(len(buffer))
            except Exception as error:  # every kind of address has a library of its own, and they have no base class
                self._drop()
                self._wait(error)
                continue
            buffer[: len(found)] = found
            return len(found)

    def _more(self, count: int) -> bytes:
        if self._stream is None:
            self._stream, size, self._mark = self._open(self._at, self._mark)
            if self._size >= 0 and size not in (None, self._size):
                raise over_http.RefusedError("it changed while it was read")
            self._size = self._size if size is None else size
        found: bytes = self._stream.read(count)
        if not found and self._at < self._size:
            raise ConnectionError("the connection ended on the way")
        self._at += len(found)
        self._failed = 0 if found else self._failed
        return found

    def _wait(self, error: Exception) -> None:
        if not _may_pass(error):
            raise error if isinstance(error, OSError) else OSError(f"{type(error).__name__}: {error}") from error
        if self._failed == len(_WAITS):
            whole = f" of {self._size}" if self._size >= 0 else ""
            said = getattr(error, "reason", None) or error
            raise OSError(f"lost {self._failed + 1} times after byte {self._at}{whole}: {said}") from error
        time.sleep(_WAITS[self._failed])
        self._failed += 1

    def _drop(self) -> None:
        if self._stream is not None:
            with suppress(Exception):
                self._stream.close()
        self._stream = None

    def close(self) -> None:
        """Let the connection go."""
        self._drop()
        super().close()


def _may_pass(error: Exception) -> bool:
    """Whether asking again may help."""
    last = (FileNotFoundError, PermissionError, IsADirectoryError, InvalidURL, over_http.RefusedError)
    if isinstance(error, last):
        return False
    known = isinstance(error, OSError | HTTPException)
    # Libraries of buckets raise classes of their own where a connection ends.
    return known or not isinstance(error, ValueError | TypeError | LookupError | ImportError)


def _from_bucket(address: str, at: int, mark: str) -> tuple[Any, int | None, str]:
    files, path = filesystem(address)
    stream = files.open(path, "rb")
    if at:
        stream.seek(at)
    size = getattr(stream, "size", None)
    return stream, size if isinstance(size, int) else None, mark
