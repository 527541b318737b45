"""Mutated suites through `plan`, `explain` and `run`: one line a fault, the same exit code from each, no write astray.

Hypothesis draws the numbers that steer a mutation, and shrinks them. `nox -s fuzz` draws 2,000, the everyday run 40.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fuzz_harness import Done, call
from fuzz_mutations import of_bytes, of_tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

HERE = Path(__file__).parent
SEEDS = [HERE / "rich.yaml", HERE.parent / "suites" / "tiny.yaml", HERE.parents[1] / "suites" / "ablation.yaml"]
SHORT, FULL = 40, 2_000
# What may be trained for the sake of a test; everything else is planned only.
SMALL = {"steps": 4, "batch": 64, "layers": 2, "hidden": 64, "heads": 4, "feed_forward": 64, "scenes": 64, "pairs": 200}


def settled(examples: int) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=checks)


def mutated(number: int) -> bytes:
    """The suite that this number stands for."""
    chance = random.Random(number)
    text = chance.choice(SEEDS).read_bytes()
    if chance.random() < 0.5:
        return of_bytes(text, chance)
    return of_tree(YAML(typ="safe", pure=True).load(text), chance)


def small(plan: dict[str, Any], explained: dict[str, Any]) -> bool:
    """Whether training this takes a moment: few runs, none of them large."""

    def sizes(node: Any) -> bool:
        if isinstance(node, list):
            return all(map(sizes, node))
        if not isinstance(node, dict):
            return True
        fits = all(not isinstance(node.get(key), int | float) or node[key] <= most for key, most in SMALL.items())
        return fits and all(map(sizes, node.values()))

    return len(plan["runs"]) <= 10 and sizes(explained["config"])


def failed(number: int, command: str, done: Done) -> None:
    """Says which mutation it was, so that it can be looked at."""
    if done.fault or done.outside:
        pytest.fail(f"mutation {number}, {command}: {done.fault or f'wrote {done.outside}'}")


def check(number: int, place: Path, trained: bool) -> str:
    """Put the suite through the commands; how it ended."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    suite, results, cache = place / "x.yaml", place / "results", place.parent / "cache"
    shutil.copy(SEEDS[1], place / "tiny.yaml")
    suite.write_bytes(mutated(number))
    planned = call(["plan", suite, "--results", results, "--json"], [cache])
    failed(number, "plan", planned)
    assert planned.code in (0, 2, 3, 4), (number, planned)
    if planned.code:
        assert planned.out == ""
        assert planned.err.startswith("error: ")
        for command in (["run", suite, "--results", results], ["explain", suite, "baseline"]):
            again = call(command, [cache])
            failed(number, command[0], again)
            assert again.code in (planned.code, 2), (number, planned.err, again.err)
        assert not results.exists()
        return f"exit {planned.code}"
    document = json.loads(planned.out)
    runs = document["runs"]
    variant = runs[-1]["variant"] if runs else "baseline"
    told = call(["explain", suite, "--json", "--", variant], [cache])
    failed(number, "explain", told)
    assert told.code == (0 if runs else 2) or not runs, (number, told.err)
    if not trained or not runs or not small(document, json.loads(told.out)):
        return "planned"
    return run(number, suite, results, cache)


def run(number: int, suite: Path, results: Path, cache: Path) -> str:
    """Train what was planned, here in this process; what is done is done and has its record, the rest says why."""
    words = ["run", suite, "--results", results, "--executor", "inline", "--device", "cpu", "--offline"]
    done = call(words, [results, cache])
    failed(number, "run", done)
    # What only a component can know when it is built (a width its heads do not divide) is the suite's fault as well: then every
    # run that failed says so.
    filed = [json.loads(path.read_text()) for path in results.glob("*/*/record.json")]
    suites = {record["exit_code"] for record in filed if record["status"] == "failed"} == {2}
    assert done.code in (0, 1, 4, 5) or (done.code == 2 and suites), (number, done.err)
    (folder,) = results.iterdir()
    found = [json.loads(path.read_text())["status"] for path in folder.glob("*/record.json")]
    assert ("failed" in found) == (done.code != 0), (number, found, done.code)
    assert not [path for path in results.rglob("*") if path.name.endswith(".part")]
    for command in ("status", "table"):
        shown = call([command, folder], [cache])
        failed(number, command, shown)
        assert shown.code == 0, (number, shown.err)
    return f"run, exit {done.code}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path) -> Path:
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DALR_BENCH_DATA", str(shared / "data"))
    # What libraries put aside for a moment goes where caches go.
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "place"


@pytest.mark.filterwarnings("ignore")
@settled(SHORT)
@given(number=st.integers(0, 2**64 - 1))
def test_mutated_suites_in_short(number: int, place: Path) -> None:
    check(number, place, trained=number % 8 == 0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mutated_suites(place: Path) -> None:
    ended: Counter[str] = Counter()

    @settled(FULL)
    @given(number=st.integers(0, 2**64 - 1))
    def every(number: int) -> None:
        ended[check(number, place, trained=number % 2 == 0)] += 1

    every()
    print(f"mutated suites: {sum(ended.values())}, {dict(ended.most_common())}")
    assert sum(ended.values()) >= FULL
    assert len(ended) > 3
