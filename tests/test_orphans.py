from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from dalr_bench.cache import build_once
from dalr_bench.orphans import part_path, sweep
from dalr_bench.process import is_alive, is_here, myself, place


def dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def named(folder: Path, pid: int, where: str = "", tail: str = "") -> Path:
    return folder / f".x.json.{where or place()}.{pid}.0123abcd.part{tail}"


def test_only_what_the_dead_left_goes(tmp_path: Path) -> None:
    gone = [named(tmp_path, dead()), named(tmp_path / "deep", dead(), tail="-a1b2")]
    gone[1].mkdir(parents=True)
    (gone[1] / "model").write_text("half")
    gone[0].write_text("half")
    old, young = named(tmp_path, 1, "00000000"), named(tmp_path, 2, "00000000")
    stays = [part_path(tmp_path / "x"), young, tmp_path / "x.part", tmp_path / ".part.part"]
    for path in (old, *stays):
        path.write_text("")
    os.utime(old, (time.time() - 4000,) * 2)
    assert sorted(sweep(tmp_path, deep=False)) == sorted([gone[0].name, old.name])
    assert gone[1].exists()
    assert sweep(tmp_path) == [gone[1].name]
    assert sorted(tmp_path.iterdir()) == sorted([*stays, tmp_path / "deep"])


def test_who_is_alive() -> None:
    me = myself()
    assert is_here(me)
    assert is_alive(me["pid"], me["born"])
    assert not is_alive(me["pid"], (me["born"] or 0) + 1) or me["born"] is None
    assert not is_alive(dead())
    ended = subprocess.Popen([sys.executable, "-c", ""])  # not waited for: its number is still there
    until = time.monotonic() + 30
    while is_alive(ended.pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    ended.wait()
    assert not is_here({**me, "host": "elsewhere"})
    assert not is_here({**me, "boot": "another"})


def test_a_store_that_a_killed_process_began_is_built_anew_and_its_beginning_goes(tmp_path: Path) -> None:
    half = tmp_path / f".store.{place()}.{dead()}.0123abcd.part"
    half.mkdir()
    (half / "rows.npy").write_text("half")

    def build(folder: Path) -> None:
        (folder / "meta.json").write_text("{}")

    assert build_once(tmp_path / "store", build) == tmp_path / "store"
    # `.users` marks who uses the cache, so that nobody's store is pruned under it.
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".users") == ["store", "store.lock"]
