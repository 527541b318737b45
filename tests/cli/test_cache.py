"""The cache folder: bounded, checked, and never pulled away from under a living process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dalr_bench import caches
from dalr_bench.cache import build_once, cache_root
from dalr_bench.cache_folder import users
from dalr_bench.cli.main import main
from dalr_bench.errors import SuiteError


def store(name: str, size: int, used: float | None = None) -> Path:
    def build(folder: Path) -> None:
        (folder / "rows.npy").write_bytes(b"x" * size)
        (folder / "meta.json").write_text(json.dumps({"teacher": name}))

    folder = build_once(cache_root() / "features" / name, build)
    if used is not None:
        os.utime(folder / "meta.json", (used, used))
    return folder


def forget_this_process() -> None:
    for folder in (cache_root() / "features").glob("*"):
        for mark in users(folder):
            mark.unlink()


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["cache", *arguments])
    shown = capsys.readouterr()
    return int(left.value.code or 0), shown.out + shown.err


def test_list_says_what_made_a_store_and_how_large_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    store("one", 1000)
    code, out = call(capsys, "list", "--json")
    (found,) = json.loads(out)["stores"]
    assert code == 0
    assert (found["name"], found["made"], found["in_use"]) == ("features/one", {"teacher": "one"}, True)
    assert found["bytes"] == sum(path.stat().st_size for path in (cache_root() / "features" / "one").iterdir())
    assert "features/one  0.0 MB  0.0 days  in use  teacher one" in call(capsys, "list")[1]


def test_prune_takes_the_longest_unused_and_spares_what_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    for age, name in enumerate(("old", "open", "new")):
        store(name, 10_000, used=1e9 + age)
    forget_this_process()
    lines = ["import sys", "from pathlib import Path", "from dalr_bench.cache import build_once"]
    waiting = "\n".join([*lines, "build_once(Path(sys.argv[1]), None)", "print(flush=True)", "input()"])
    holder = [sys.executable, "-c", waiting, str(cache_root() / "features" / "open")]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        os.utime(cache_root() / "features" / "open" / "meta.json", (1e9 + 1, 1e9 + 1))
        code, out = call(capsys, "prune", "--to", "15KB")
        assert (code, out.splitlines()[-1][:16]) == (0, "2 stores removed")
        assert [each.name for each in caches.stored()] == ["features/open"]
        assert caches.prune(0).removed == []
        other.kill()
    # Killed, it left its mark; a mark of no process counts no more.
    assert [each.name for each in caches.prune(0).removed] == ["features/open"]
    assert not caches.stored()


def test_a_bound_holds_as_stores_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    store("first", 10_000, used=1e9)
    forget_this_process()
    monkeypatch.setenv("DALR_BENCH_CACHE_SIZE", "15KB")
    store("second", 10_000)
    assert [each.name for each in caches.stored()] == ["features/second"]


def test_verify_finds_every_changed_byte(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cut", "flipped", "gone", "whole"):
        store(name, 100)
    folder = cache_root() / "features"
    assert call(capsys, "verify") == (0, "4 stores, 0 damaged\n")
    (folder / "cut" / "rows.npy").write_bytes(b"x" * 99)
    (folder / "flipped" / "rows.npy").write_bytes(b"x" * 50 + b"y" + b"x" * 49)
    (folder / "gone" / "rows.npy").unlink()
    code, out = call(capsys, "verify", "--json")
    damaged = json.loads(out)["damaged"]
    assert code == 4
    assert damaged == {
        "features/cut": ["rows.npy has 99 bytes, not 100"],
        "features/flipped": ["rows.npy is not what was written (sha256)"],
        "features/gone": ["rows.npy is missing"],
    }
    assert call(capsys, "verify", "--remove")[0] == 4
    assert [each.name for each in caches.stored()] == ["features/whole"]


def test_shards_are_checked_by_the_notes_beside_them() -> None:
    import torch

    from dalr_bench.data.features import Ask, feature_store
    from dalr_bench.types import Corpus

    ask = Ask("text", "t", lambda sentences: torch.ones(len(sentences), 2))
    feature_store(ask, Corpus(["a b", "c"], "corpus"))
    (found,) = caches.stored()
    assert found.in_use
    assert not list(caches.damage(found))
    (shard,) = found.folder.glob("*.npy")
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + b"!")
    assert list(caches.damage(found)) == [f"{shard.name} is not what was written (sha256)"]


@pytest.mark.parametrize(("text", "size"), [("15KB", 15_000), ("1.5 GB", 1_500_000_000), ("7", 7), ("2t", 2 * 10**12)])
def test_sizes(text: str, size: int) -> None:
    assert caches.size_of(text, "--to") == size


def test_a_size_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SuiteError):
        caches.size_of("much", "--to")
    code, out = call(capsys, "prune", "--to", "much")
    assert call(capsys, "prune", "--older-than", "nan")[0] == 2
    assert (code, out) == (2, "error: --to much: expected a size such as 500MB, 20GB or 1.5TB\n")
