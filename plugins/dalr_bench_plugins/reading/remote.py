"""What servers tell without sending a file, its size and ETag or a commit: asked at most once an hour, kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from dalr_bench import DataError, Fault
from dalr_bench.cache import cache_root
from dalr_bench_plugins.reading import over_http
from dalr_bench_plugins.reading.addresses import HTTP, filesystem, scheme
from dalr_bench_plugins.reading.afar import trying

_SECONDS = 3600.0
_AT_ONCE = 16
_SHOWN = 9
# What names a file's content in the words of each kind of bucket, else when it was written.
_MARKS = (
    "ETag",
    "etag",
    "blob_id",
    "md5Hash",
    "content_md5",
    "crc32c",
    "generation",
    "LastModified",
    "last_modified",
    "created",
)


def about(addresses: Sequence[str]) -> list[str]:
    """`size:etag` of each. Without a network (HF_HUB_OFFLINE) what was told before. Raises DataError for what is not there."""
    return _remembering(addresses, _told)


def commit(dataset: str, revision: str | None) -> str | None:
    """The commit a revision of a data set of the hub means, remembered like sizes; a local folder has none.

    Raises DataError where the hub does not know it.
    """
    if os.path.isdir(dataset) or re.fullmatch("[0-9a-f]{40}", revision or ""):
        return revision
    return _remembering([f"hf://datasets/{dataset}@{revision or 'main'}"], partial(_commit, dataset, revision))[0]


def _remembering(addresses: Sequence[str], ask: Callable[[str], str | Fault]) -> list[str]:
    key = hashlib.sha256("\n".join(addresses).encode()).hexdigest()[:32]
    memory = cache_root() / "addresses" / f"{key}.json"
    known = _remembered(memory, len(addresses))
    if known is not None:
        return known
    if offline() and scheme(addresses[0]) != "memory":
        raise DataError(
            Fault("was never asked about, and the network is not asked (HF_HUB_OFFLINE)", file=addresses[0])
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(ask, addresses))
    found = [answer for answer in answers if isinstance(answer, str)]
    if gone := [answer for answer in answers if isinstance(answer, Fault)]:
        more = [Fault(f"and {len(gone) - _SHOWN} more addresses are faulty")] if len(gone) > _SHOWN else []
        raise DataError([*gone[:_SHOWN], *more])
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps({"told": found}))
        part.replace(memory)
    return found


def offline() -> bool:
    """Whether the network may not be asked."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _remembered(memory: Path, count: int) -> list[str] | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = [str(each) for each in json.loads(memory.read_text())["told"]]
        if len(told) == count and (offline() or time.time() - memory.stat().st_mtime < _SECONDS):
            return told
    return None


def _told(address: str) -> str | Fault:
    try:
        return trying(partial(over_http.told if scheme(address) in HTTP else _in_bucket, address))
    except FileNotFoundError as error:
        said = f": {error}" if scheme(address) in HTTP else ""
        return Fault(f"no such shard{said}", file=address)
    except Exception as error:  # every kind of address has a library of its own, and they have no base class
        what = str(getattr(error, "reason", None) or error) or type(error).__name__
        return Fault(f"cannot be asked: {what}", file=address)


def _in_bucket(address: str) -> str:
    files, path = filesystem(address)
    found = files.info(path)
    return f"{found.get('size')}:{next((str(found[name]) for name in _MARKS if found.get(name)), '')}"


def _commit(dataset: str, revision: str | None, address: str) -> str | Fault:
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(dataset, revision=revision).sha)
    except Exception as error:  # network, login and absence have classes of several libraries
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return Fault(f"cannot be asked for its commit: {said}", file=address)
