"""Records of a tar shard: members that share a name up to its first dot. Read once from front to end, from a file or an address."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Collection, Iterator
from typing import IO, Any

from dalr_bench import DataError, Fault
from dalr_bench_plugins.reading.addresses import scheme
from dalr_bench_plugins.reading.afar import open_address
from dalr_bench_plugins.reading.remote import offline

_END = 1024  # two blocks of zeros end an archive
_CHUNK = 1 << 16
_FAULTS = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


def records(place: str, endings: Collection[str]) -> Iterator[dict[str, Any]]:
    """Each record as webdataset groups it: `__key__`, its members of these endings, and `__others__`, the endings of the others.

    Raises DataError with the shard and the member reached: a shard that is not there or no tar, one that is cut, a name twice.
    """
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    if "://" in place and offline() and scheme(place) != "memory":
        raise DataError(Fault("lies behind the network, which is not asked (HF_HUB_OFFLINE)", file=place))
    reached = ""

    def named(members: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        nonlocal reached
        for member in members:
            reached = member["fname"]
            yield {**member, "__url__": place}

    try:
        with open_address(place) if "://" in place else open(place, "rb", 0) as opened:
            stream = _Watched(_unpacked(opened))
            for record in group_by_keys(named(tar_file_iterator(stream))):
                others = {name for name in record if not name.startswith("__")} - set(endings)
                yield {"__others__": others, **{name: held for name, held in record.items() if name not in others}}
            stream.check()
    except _FAULTS as error:
        after = f"after member {reached}: " if reached else ""
        raise DataError(Fault(f"{after}{_said(error)}", file=place)) from None


def _unpacked(stream: io.RawIOBase) -> IO[bytes] | gzip.GzipFile:
    """The archive, whatever it is packed by; unlike tarfile's own reader these tell where a packed stream is cut."""
    plain = io.BufferedReader(stream, _CHUNK)
    head = plain.peek(8)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=plain)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(plain)
    if head.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(plain)
    return plain


class _Watched:
    """A stream that remembers how it ended: a tar that is cut between two members looks whole to tarfile."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream, self._tail = stream, b""

    def read(self, size: int) -> bytes:
        """As of the stream."""
        found = self._stream.read(size)
        self._tail = (self._tail + found)[-_END:]
        return found

    def check(self) -> None:
        """Raises EOFError where the mark of the end is missing, or where something comes after it."""
        while more := self.read(_CHUNK):
            if more.strip(b"\0"):
                raise EOFError("something comes after the end of the archive (one shard is one archive)")
        if len(self._tail) < _END or self._tail.strip(b"\0"):
            raise EOFError("the archive is cut: its end is missing")


def _said(error: Exception) -> str:
    """In a line; webdataset adds the stream to what it hands on."""
    if isinstance(error, FileNotFoundError):
        return "no such shard"
    said = str(error.args[0] if error.args else error).partition(" @ ")[0]
    if isinstance(error, tarfile.TarError):
        return f"the archive is cut or damaged ({said})"
    return f"cannot be read: {said}" if isinstance(error, OSError) else said
