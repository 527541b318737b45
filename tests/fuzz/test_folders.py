"""Damaged results folders through every command that reads one: a line or a table, never a traceback or a write astray.

`nox -s fuzz` damages 500, the everyday run 10.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fuzz_damages import damage
from fuzz_harness import Done, call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dalr_bench.cli.main import main
from dalr_bench.telling import Teller

TINY = Path(__file__).parents[1] / "suites" / "tiny.yaml"
SHORT, FULL = 10, 500
FORMATS = ("terminal", "markdown", "latex", "html", "csv", "json", "typst")
RUN = ("run", TINY, "--executor", "inline", "--device", "cpu", "--checkpoint-every", "1steps")


class Killed(BaseException):
    """Passes every handler a process has."""


def trained(results: Path) -> Path:
    """The smallest suite, done but for one run: that was killed between two checkpoints."""
    tell = Teller.step

    def dying(self: Teller, step: int, *values: Any) -> None:
        tell(self, step, *values)
        if step == 4 and self.run_id.startswith("ranked"):
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        with pytest.raises(SystemExit) as left:
            main([*map(str, RUN), "--results", str(results), "--only", "baseline", "--only", "untrained"])
        assert left.value.code == 0
        patch.setattr(Teller, "step", dying)
        with pytest.raises(Killed):
            main([*map(str, RUN), "--results", str(results), "--only", "ranked", "--seed", "0"])
    assert list((results / "tiny").glob("ranked-*/checkpoints/*"))
    return results / "tiny"


def failed(number: int, told: Sequence[str], command: str, done: Done) -> None:
    if done.fault or done.outside:
        pytest.fail(f"damage {number} ({'; '.join(told)}), {command}: {done.fault or f'wrote {done.outside}'}")


def check(number: int, whole: Path, place: Path) -> str:
    """Damage a copy and put it through commands; how `table` ended, and `run` where it was tried."""
    shutil.rmtree(place, ignore_errors=True)
    results, elsewhere, out = place / "results", place / "elsewhere", place / "out"
    shutil.copytree(whole, results / "tiny")
    (elsewhere / "kept").mkdir(parents=True)
    (elsewhere / "kept.json").write_text("{}")
    chance = random.Random(number)
    told = damage(results / "tiny", elsewhere, chance)
    ended = {}
    for command, writes in _commands(results / "tiny", out, chance):
        done = call(command, [place.parent / "cache", *([out] if writes else [])])
        failed(number, told, " ".join(map(str, command)), done)
        assert done.code in (0, 2, 4), (number, told, command, done)
        ended[str(command[0])] = done.code
    assert [path.name for path in sorted(elsewhere.rglob("*"))] == ["kept", "kept.json"]
    # Nothing that cannot be read says that a suite's results are there, and the other way round.
    assert (ended["status"] == 4) == (ended["table"] == 4), (number, told, ended)
    again = f", run {_run_again(number, told, results, elsewhere)}" if number % 6 == 0 else ""
    return f"table {ended['table']}{again}"


def _commands(folder: Path, out: Path, chance: random.Random) -> Iterator[tuple[list[str | Path], bool]]:
    yield ["status", folder], False
    yield ["status", folder, "--json"], False
    yield ["table", folder, "--format", chance.choice(FORMATS)], False
    more: list[tuple[list[str | Path], bool]] = [
        (["table", folder, "--significance", "--cost", "--mix-protocols"], False),
        (["table", folder, "--baseline", "baseline", "--spread", "ci", "--out", out / "table.txt"], True),
        (["compare", folder, "untrained", "baseline", "--resamples", "100"], False),
        (["report", folder, "--out", out / "report.html"], True),
        (["export", folder, "baseline", "--to", out / "model"], True),
        (["bundle", folder, "baseline-s0", "--out", out / "bundle.zip"], True),
        (["plan", TINY, "--results", folder.parent, "--json"], False),
    ]
    yield from chance.sample(more, 4)


def _run_again(number: int, told: Sequence[str], results: Path, elsewhere: Path) -> int:
    """`run` mends what it can; where it says that all is done, all is."""
    folders = [results, results.parent.parent / "cache"]
    done = call([*RUN, "--results", results, "--offline"], folders)
    failed(number, told, "run", done)
    assert done.code in (0, 1, 2, 4, 5), (number, told, done)
    assert (elsewhere / "kept.json").read_text() == "{}"
    if done.code == 0:
        shown = json.loads(call(["status", results / "tiny", "--json"], folders).out)
        assert {run["state"] for run in shown["runs"] if run["variant"]} == {"done"}, (number, told, shown)
    return done.code


def settled(examples: int) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=checks)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return trained(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "cache"))
    for name in ("DALR_BENCH_CACHE", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "place"


@pytest.mark.filterwarnings("ignore")
@settled(SHORT)
@given(number=st.integers(0, 2**64 - 1))
def test_damaged_folders_in_short(number: int, whole: Path, place: Path) -> None:
    check(number, whole, place)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_damaged_folders(whole: Path, place: Path) -> None:
    ended: Counter[str] = Counter()

    @settled(FULL)
    @given(number=st.integers(0, 2**64 - 1))
    def every(number: int) -> None:
        ended[check(number, whole, place)] += 1

    every()
    print(f"damaged folders: {sum(ended.values())}, {dict(ended.most_common())}")
    assert sum(ended.values()) >= FULL
