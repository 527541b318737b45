"""What servers tell of files without sending them: size and ETag, asked at most once an hour and remembered in the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from dalr_bench import DataError, Fault
from dalr_bench.cache import cache_root

_SECONDS = 3600.0
_AT_ONCE = 16
_PATIENCE = 30.0


def about(addresses: Sequence[str]) -> list[str]:
    """`size:etag` of each. Without a network (HF_HUB_OFFLINE) what was told before. Raises DataError for what is not there."""
    key = hashlib.sha256("\n".join(addresses).encode()).hexdigest()[:32]
    memory = cache_root() / "addresses" / f"{key}.json"
    known = _remembered(memory, len(addresses))
    if known is not None:
        return known
    if offline():
        raise DataError(
            Fault("was never asked for its size, and the network is not asked (HF_HUB_OFFLINE)", file=addresses[0])
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(_told, addresses))
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


def _told(address: str) -> str:
    if address.startswith("hf://"):
        return _on_the_hub(address)
    if address.startswith("gs://"):
        return "unasked"
    try:
        with urlopen(Request(address, method="HEAD"), timeout=_PATIENCE) as answer:
            return _named(answer.headers)
    except HTTPError as error:
        raise DataError(Fault(f"no such shard: the server says {error.code} {error.reason}", file=address)) from None
    except (URLError, OSError, ValueError) as error:
        raise DataError(Fault(f"cannot be asked: {getattr(error, 'reason', error)}", file=address)) from None


def _named(headers: Message) -> str:
    return f"{headers.get('Content-Length', '')}:{headers.get('ETag') or headers.get('Last-Modified') or ''}"


def _on_the_hub(address: str) -> str:
    from huggingface_hub import HfFileSystem

    try:
        found = HfFileSystem().info(address)
    except Exception as error:  # network, login and absence have classes of several libraries
        raise DataError(Fault(f"no such shard: {type(error).__name__}: {error}", file=address)) from None
    return f"{found.get('size')}:{found.get('blob_id') or found.get('etag') or ''}"
