"""Who works on a run folder: `lease-<n>.json`, made by one process alone, kept fresh by a heartbeat, taken over when it is stale.

No lock is needed and no clock is compared with another machine's. Numbers only rise: a lease is taken by making the file of
the next number, which a file system gives to one of several who try (link, or O_EXCL where it has no links); whoever then
sees a higher number was too late. The heartbeat is the file's time of change: it needs no room on a full disk.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalr_bench.orphans import temporary
from dalr_bench.process import is_alive, is_here, myself
from dalr_bench.record.files import load_json

SECONDS_BETWEEN_BEATS = 15.0
SECONDS_UNTIL_STALE = 120.0  # for a holder that cannot be asked whether it lives: eight beats, and a minute of NFS caching
_NAME = re.compile(r"lease-(\d{1,9})\.json")


@dataclass
class Lease:
    """This process's right to write to a folder. `lost` is set when somebody took it over because no beat was seen."""

    path: Path
    lost: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        threading.Thread(target=self._beat, name="lease", daemon=True).start()

    def is_mine(self) -> bool:
        """Looks at the folder: false where the lease was taken over."""
        number = _number(self.path)
        if not self.path.exists() or any(_number(other) > number for other in leases(self.path.parent)):
            self.lost.set()
        return not self.lost.is_set()

    def release(self, keep_number: bool = False) -> None:
        """Give it back. `keep_number` leaves the file, marked, so that a slow process cannot start counting anew."""
        self._over.set()
        if not self.is_mine():
            return
        with suppress(OSError):  # a full disk: the lease is seen to be stale when this process is gone
            if keep_number:
                _write_over(self.path, {"released": True})
            else:
                self.path.unlink()

    def _beat(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_BEATS):
            try:
                os.utime(self.path)
            except FileNotFoundError:
                self.lost.set()
                return
            except OSError:
                continue  # the file server is away; the next beat may find it


def take(folder: str | Path) -> Lease | None:
    """The lease of a folder; None while another process holds it. A stale one is taken over. Raises OSError."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    found = leases(place)
    if found and holder(place, lambda: _server_time(place)) is not None:
        return None
    path = place / f"lease-{_number(found[-1]) + 1 if found else 1}.json"
    if not _make(path, json.dumps({**myself(), "taken": round(time.time(), 3)}).encode()):
        return None
    there = leases(place)
    if there and there[-1] != path:
        path.unlink(missing_ok=True)
        return None
    for old in there[:-1]:
        old.unlink(missing_ok=True)
    return Lease(path)


def wait_for(folder: str | Path, told: Callable[[str], Any], pause: float = 1.0) -> tuple[Lease, bool]:
    """`take`, as soon as it can be had; and whether there was anything to wait for. `told` hears once who is waited for."""
    waited = False
    while (lease := take(folder)) is None:
        if not waited:
            told(described(holder(folder)))
        waited = True
        time.sleep(pause)
    return lease, waited


def holder(folder: str | Path, clock: Callable[[], float] = time.time) -> dict[str, Any] | None:
    """Who holds a folder now; None where nobody does, gave it back, or is gone (stale)."""
    found = leases(Path(folder))
    if not found:
        return None
    try:
        beat = found[-1].stat().st_mtime
        who = load_json(found[-1])
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        who = {}  # being written, where the file system has no links; or its disk was full
    if not isinstance(who, dict) or who.get("released"):
        return None
    return None if _is_gone(who, beat, clock) else who


def is_abandoned(folder: str | Path) -> bool:
    """A lease is there, was not given back, and its holder is gone."""
    found = leases(Path(folder))
    if not found or holder(folder) is not None:
        return False
    try:
        who = load_json(found[-1])
    except (OSError, ValueError):
        return True
    return not (isinstance(who, dict) and who.get("released"))


def described(who: Mapping[str, Any] | None) -> str:
    """`process 12 on host`, for people."""
    return f"process {who.get('pid', '?')} on {who.get('host', '?')}" if who else "another process"


def leases(folder: Path) -> list[Path]:
    """The lease files of a folder, the highest number last."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((folder / name for name in names if _NAME.fullmatch(name)), key=_number)


def _is_gone(who: Mapping[str, Any], beat: float, clock: Callable[[], float]) -> bool:
    pid, born = who.get("pid"), who.get("born")
    if is_here(who) and isinstance(pid, int):
        return not is_alive(pid, born if isinstance(born, int) else None)
    return clock() - beat > SECONDS_UNTIL_STALE


def _server_time(folder: Path) -> float:
    """The time by the clock that stamps the files of a folder: beats are measured by it, never by our own."""
    with temporary(folder / "clock") as part:
        part.touch()
        return part.stat().st_mtime


def _make(path: Path, data: bytes) -> bool:
    """Make a file with that content if there is none of its name."""
    with temporary(path) as part:
        part.write_bytes(data)
        try:
            os.link(part, path)
        except FileExistsError:
            return False
        except OSError:
            return _make_without_links(path, data)
    return True


def _make_without_links(path: Path, data: bytes) -> bool:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(number, "wb") as file:
        file.write(data)
    return True


def _write_over(path: Path, value: Mapping[str, Any]) -> None:
    with temporary(path) as part:
        part.write_text(json.dumps({**myself(), **value}), encoding="utf-8")
        part.replace(path)


def _number(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else 0
