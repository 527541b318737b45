"""Benchmarks: both sides give the same scores, and the times are those of the sides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dalr_bench import SuiteError
from dalr_bench.benching import Bench, bench
from dalr_bench.cli.bench import command
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench.evaluate.padded import Padded
from dalr_bench.plugin.manager import load
from dalr_bench.scoring import Asked
from dalr_bench_plugins.backbones.hf import hf


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    stsb = folder / "data" / "downstream" / "STS" / "STSBenchmark"
    stsb.mkdir(parents=True)
    rows = [f"g\tf\ty\t{i}\t{i % 5}\tword{i} thing\tword{i + i % 3} thing\n" for i in range(30)]
    (stsb / "sts-test.csv").write_text("".join(rows))
    reviews = folder / "data" / "downstream" / "MR"
    reviews.mkdir()
    for side in ("pos", "neg"):
        (reviews / f"rt-polarity.{side}").write_text("".join(f"{side} word{i}\n" for i in range(60)))
    words = ["pos", "neg", "thing", *(f"word{i}" for i in range(64))]
    hf(head="none", pooling="mean", vocabulary=words, layers=1, hidden=16, heads=2, feed_forward=32).save(
        str(folder / "model")
    )
    return folder


def asked(place: Path, task: str, **options: str) -> Asked:
    name = "sts" if task == "STS-B" else "senteval"
    given = {"sizes": "any", **options}
    return Asked(str(place / "model"), [name], [task], str(place / "data"), "cpu", options={name: given})


def test_padded_batches_give_the_same_rows(place: Path) -> None:
    student = hf(str(place / "model"), head="none", pooling="mean")
    sentences = ["word1 thing", "word2", "pos word3 thing thing", "", "word2"]
    plain = Padded(student, batch=2)
    np.testing.assert_allclose(plain.encode(sentences), OnePass(student).encode(sentences), atol=1e-6)
    assert plain.seconds["encode"] > 0


def test_sts_side_by_side(place: Path) -> None:
    found = bench("sts", asked(place, "STS-B"), load().catalogue, rounds=2)
    assert (len(found.ours), len(found.other), found.scores) == (2, 2, 1)
    assert found.difference < 1e-3
    assert min(*found.ours, *found.other) > 0


def test_transfer_side_by_side(place: Path) -> None:
    found = bench("transfer", asked(place, "MR", mode="fast"), load().catalogue)
    assert found.scores == 2
    assert found.difference == 0
    assert found.other_side == "solver serial"
    assert found.other[0] > found.ours[0]


def test_the_ratio_is_the_median_over_rounds() -> None:
    assert Bench("x", [1.0, 2.0, 1.0], [3.0, 4.0, 10.0], "other", 0.0, 1).ratio == 3.0


def test_an_unknown_benchmark_is_named(place: Path) -> None:
    with pytest.raises(SuiteError, match=r"no evaluator has a benchmark 'stss'\. Did you mean 'sts'"):
        bench("stss", asked(place, "STS-B"), load().catalogue)


def test_the_command_prints_both_sides(place: Path) -> None:
    given = ["transfer", str(place / "model"), "--data", str(place / "data"), "--tasks", "MR"]
    given += ["--set", "senteval.mode=fast", "--set", "senteval.sizes=any"]
    text = CliRunner().invoke(command, given, catch_exceptions=False).stdout
    assert text.startswith("transfer, 1 thread, CPU seconds")
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["ours", "solver", "ratio", "largest"]
    document = json.loads(CliRunner().invoke(command, [*given, "--json"], catch_exceptions=False).stdout)
    assert document["largest_difference"] == 0
    assert set(document["cpu_seconds"]) == {"ours", "solver serial"}
