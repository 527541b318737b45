"""Lists of shards: names with braces or wildcards below a folder, or addresses; what tells one shard's content from another's."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from dalr_bench import DataError, Fault, PluginError
from dalr_bench_plugins.reading.addresses import check, expanded, is_address
from dalr_bench_plugins.reading.remote import about

_MOST = 1_000_000
_EDGE = 1 << 16


@dataclass(frozen=True)
class Shard:
    """One shard: the name it is listed by, where it is read, and a fingerprint of its content."""

    name: str
    place: str
    fingerprint: str


def listed(root: str | None, pattern: str) -> list[Shard]:
    """The shards a pattern means, in its order; wildcards in the order of names.

    A file counts by its name, size, first and last 64 KiB; an address by itself, size and ETag (else time of change), as far as
    its server tells them. Raises DataError naming every shard that is not there; for an address of another kind, or with a password.
    """
    if is_address(pattern):
        check(pattern)  # before anything shows it: it may hold a password
    ranges = re.findall(r"\{(-?\d+)\.\.(-?\d+)", pattern)  # counted before the library writes them all out
    meant = math.prod(abs(int(last) - int(first)) + 1 for first, last in ranges)
    names = list(islice(_expanded(pattern), _MOST + 1)) if meant <= _MOST else []
    if meant > _MOST or len(names) > _MOST:
        raise DataError(Fault(f"means more than {_MOST} shards", file=pattern))
    if any(map(is_address, names)):
        return _addresses(names)
    base = Path(root or ".")
    found = [path for name in names for path in _files(base, name)]
    gone = [Fault("no such shard", file=str(path)) for path in found if not path.is_file()]
    if gone:
        raise DataError(
            gone if len(gone) < 10 else [*gone[:9], Fault(f"and {len(gone) - 9} more shards are not there")]
        )
    below = (
        base
        if all(path.is_relative_to(base) for path in found)
        else Path(os.path.commonpath([p.parent for p in found]))
    )
    return [Shard(path.relative_to(below).as_posix(), str(path), edges(path)) for path in found]


def _expanded(pattern: str) -> Iterator[str]:
    if find_spec("braceexpand") is None:
        raise PluginError("webdataset needs a library: pip install 'dalr-bench[webdataset]'")
    from braceexpand import braceexpand

    try:
        yield from braceexpand(pattern)
    except ValueError as error:
        raise DataError(Fault(f"its braces do not fit: {error}", file=pattern)) from None


def _files(base: Path, name: str) -> Sequence[Path]:
    if not any(mark in name for mark in "*?["):
        return [base / name]
    found = sorted(base.glob(name))
    if not found:
        raise DataError(Fault(f"no shard is called '{name}'", file=str(base)))
    return found


def _addresses(names: Sequence[str]) -> list[Shard]:
    for name in names:
        check(name)
    found = [address for name in names for address in expanded(name)]
    return [Shard(name, name, told) for name, told in zip(found, about(found), strict=True)]


def edges(path: Path) -> str:
    """A file's size and the hash of its first and last 64 KiB."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        digest = hashlib.sha256(handle.read(_EDGE))
        handle.seek(max(0, size - _EDGE))
        digest.update(handle.read(_EDGE))
    return f"{size}:{digest.hexdigest()}"
