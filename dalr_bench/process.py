"""Which process this is, so that another one, here or elsewhere, can tell whether it is still there."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_ENDED = -1


@cache
def boot_id() -> str:
    """This start of this machine, and the process numbers this process sees; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # Two containers share a kernel, and then a process number of one means nothing in the other.
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def myself() -> dict[str, Any]:
    """`host`, `pid`, `boot` and `born` (when the process started, in ticks since boot: numbers are used again)."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "boot": boot_id(), "born": _born(pid)}


def place() -> str:
    """Eight characters that stand for this host and boot in the name of a temporary file."""
    return hashlib.sha256(f"{socket.gethostname()} {boot_id()}".encode()).hexdigest()[:8]


def is_here(who: Mapping[str, Any]) -> bool:
    """Whether that process runs, or ran, where this one can look for it."""
    return who.get("host") == socket.gethostname() and who.get("boot") == boot_id()


def is_alive(pid: int, born: int | None = None) -> bool:
    """Whether a process of that number is there, and is the one that was meant where `born` tells."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # it exists and belongs to somebody else
    now = _born(pid)
    return now != _ENDED and (born is None or now is None or now == born)


def _born(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        # A process that ended and was not waited for still has its number; it will do nothing any more.
        return _ENDED if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
