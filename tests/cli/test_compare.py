"""Two rows of a results folder against each other, from files to the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from paired_samples import SEEDS, SEVEN, write
from result_samples import write as write_sample
from scipy import stats

from dalr_bench.cli.compare import command
from dalr_bench.errors import DataError, SuiteError
from dalr_bench.record.predictions import predictions_path, read_predictions, write_predictions
from dalr_bench.record.store import finish, read_record
from dalr_bench.types import Predictions, Score


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write(tmp_path / "s")


def output(*arguments: str | Path) -> str:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def lines(*arguments: str | Path) -> dict[str, dict[str, Any]]:
    document = json.loads(output(*arguments, "--json"))
    return {line["task"]: line for line in document["tasks"]}


def values(results: Path, task: str) -> np.ndarray:
    """Scores ×100 by [variant, seed], read from the records."""
    found = [[read_record(results / f"{v}-{s}") for s in range(SEEDS)] for v in ("better", "plain")]
    return np.array([[next(100 * x.value for x in r.scores if x.task == task) for r in row if r] for row in found])


def test_every_task_with_what_it_rests_on(results: Path) -> None:
    found = lines(results, "better", "plain", "--resamples", 1000)
    assert list(found) == [*SEVEN, "Avg", "MR"]
    assert {line["rests_on"] for line in found.values()} == {"seeds and examples"}
    assert {line["seeds"] for line in found.values()} == {SEEDS}
    assert [line["examples"] for line in found.values()] == [*SEVEN.values(), sum(SEVEN.values()), 200]


def test_the_difference_is_the_records(results: Path) -> None:
    found = lines(results, "better", "plain", "--resamples", 500)
    for task in ("STS12", "MR"):
        better, plain = values(results, task)
        line = found[task]
        assert line["difference"] == pytest.approx((better - plain).mean())
        assert (line["a"], line["b"]) == (pytest.approx(better.mean()), pytest.approx(plain.mean()))
        assert line["interval"][0] < line["difference"] < line["interval"][1]
        assert line["permutation"]["p"] == pytest.approx(
            stats.permutation_test(
                (better - plain,), np.mean, permutation_type="samples", n_resamples=np.inf
            ).pvalue
        )  # fmt: skip
        assert (line["permutation"]["floor"], line["permutation"]["floor_greater"]) == (1 / 16, 1 / 32)
        assert line["effect"]["d"] == pytest.approx((better - plain).mean() / (better - plain).std(ddof=1))


def test_holm_is_over_the_tasks_shown(results: Path) -> None:
    found = lines(results, "better", "plain", "--tasks", "STS12", "--tasks", "MR", "--resamples", 500)
    small, large = sorted(line["p"] for line in found.values())
    assert sorted(line["p_holm"] for line in found.values()) == pytest.approx(
        sorted([min(1, 2 * small), min(1, max(2 * small, large))])
    )


def test_the_other_way_round_is_the_negative(results: Path) -> None:
    one = lines(results, "better", "plain", "--tasks", "STS12", "--resamples", 500)["STS12"]
    two = lines(results, "plain", "better", "--tasks", "STS12", "--resamples", 500)["STS12"]
    assert one["difference"] == pytest.approx(-two["difference"])
    assert one["interval"] == pytest.approx([-two["interval"][1], -two["interval"][0]], rel=1e-4)
    assert one["p"] == pytest.approx(two["p"], rel=1e-6, abs=1e-12)
    assert one["probability_of_improvement"] == pytest.approx(1 - two["probability_of_improvement"])


def test_less_may_be_better(results: Path) -> None:
    for variant, value in (("better", 0.2), ("plain", 0.3)):
        for seed in range(SEEDS):
            record = read_record(results / f"{variant}-{seed}")
            assert record is not None
            scores = [*record.scores, Score("geometry", "alignment", value + 0.01 * seed, 9)]
            finish(results / f"{variant}-{seed}", replace(record, scores=scores))
    found = lines(results, "better", "plain", "--tasks", "geometry")["geometry"]
    assert found["probability_of_improvement"] == 1
    assert found["difference"] == pytest.approx(-10)


def test_the_seed_of_the_draws_decides(results: Path) -> None:
    arguments = (results, "better", "plain", "--tasks", "STS12", "--resamples", 300)
    assert output(*arguments) == output(*arguments)
    assert lines(*arguments)["STS12"]["error"] != lines(*arguments, "--seed", 1)["STS12"]["error"]


def test_the_page_says_all_it_rests_on(results: Path) -> None:
    text = output(results, "better", "plain", "--resamples", 300)
    assert "A = better\nB = plain\n" in text
    assert "5 seeds × 310 examples" in text
    assert "two-sided; it cannot fall below 0.0625 (one-sided 0.03125)" in text
    assert "p Holm: corrected for the 9 tasks shown" in text
    assert "\x1b" not in text


def test_without_predictions_seeds_alone_speak(results: Path) -> None:
    predictions_path(results / "better-3", "STS12").unlink()
    found = lines(results, "better", "plain", "--resamples", 300)
    better, plain = values(results, "STS12")
    assert found["STS12"]["rests_on"] == "seeds"
    assert found["STS12"]["p"] == pytest.approx(stats.ttest_rel(better, plain).pvalue, rel=1e-6)
    assert found["STS12"]["why_no_examples"] == "this run kept no predictions of STS12"
    assert found["Avg"]["rests_on"] == "seeds"
    assert found["STS13"]["rests_on"] == "seeds and examples"
    text = output(results, "better", "plain", "--resamples", 300)
    assert "Seeds only for STS12, Avg: this run kept no predictions of STS12." in text
    assert "5 seeds only" in text


def test_a_task_of_a_library_is_called_by_its_whole_name(results: Path) -> None:
    for variant in ("better", "plain"):
        for seed in range(SEEDS):
            record = read_record(results / f"{variant}-{seed}")
            assert record is not None
            scores = [*record.scores, Score("mteb/STS12", "spearman", 0.5 + 0.01 * seed, 9)]
            finish(results / f"{variant}-{seed}", replace(record, scores=scores))
    why = lines(results, "better", "plain", "--tasks", "mteb/STS12")["mteb/STS12"]["why_no_examples"]
    assert why == "this run kept no predictions of mteb/STS12"


def test_predictions_of_something_else_are_not_believed(results: Path) -> None:
    gold = np.arange(310.0)
    write_predictions(results / "better-0", Predictions("STS12", gold, gold))
    assert "different examples" in lines(results, "better", "plain", "--tasks", "STS12")["STS12"]["why_no_examples"]
    for run in [f"{v}-{s}" for v in ("better", "plain") for s in range(SEEDS)]:
        write_predictions(results / run, Predictions("STS12", gold, gold))
    why = lines(results, "better", "plain", "--tasks", "STS12")["STS12"]["why_no_examples"]
    assert why == "the predictions of better-0 do not give its recorded score"


def as_the_toolkit_prints(right: np.ndarray, folds: int) -> float:
    """SentEval's accuracy: of each fold in percent with two decimals, their mean with two."""
    return round(float(np.mean([round(100 * float(part.mean()), 2) for part in np.array_split(right, folds)])), 2) / 100


@pytest.mark.parametrize(("task", "size", "folds"), [("MPQA", 10606, 10), ("CR", 3775, 10), ("SST", 1821, 1), ("MRPC", 1725, 1)])
def test_accuracies_that_the_toolkit_rounds_rest_on_examples(tmp_path: Path, task: str, size: int, folds: int) -> None:
    rng = np.random.default_rng(size)
    folder = write(tmp_path / "s", {task: 100})
    gold = rng.integers(0, 2, size)
    for variant, share in (("better", 0.85), ("plain", 0.8)):
        for seed in range(SEEDS):
            right = rng.random(size) < share + 0.01 * rng.normal()
            write_predictions(folder / f"{variant}-{seed}", Predictions(task, np.where(right, gold, 1 - gold), gold))
            record = read_record(folder / f"{variant}-{seed}")
            assert record is not None
            value = as_the_toolkit_prints(right, folds)
            assert folds == 1 or abs(value - right.mean()) > 1e-6  # what is compared is not the plain mean
            scores = [Score(task, "acc", value, size), Score("transfer", "avg", value, size)]
            finish(folder / f"{variant}-{seed}", replace(record, scores=scores))
    found = lines(folder, "better", "plain", "--resamples", 200)
    assert [line["rests_on"] for line in found.values()] == ["seeds and examples"] * 2, found
    assert [line["examples"] for line in found.values()] == [size, size]
    # One example that is right in the record and wrong among the predictions is one too many.
    run = folder / "better-0"
    known = read_predictions(run, task)
    wrong = np.flatnonzero(known.predicted == known.gold)[: 3 if size > 5000 else 1]
    write_predictions(run, Predictions(task, np.where(np.isin(np.arange(size), wrong), 1 - known.gold, known.predicted), gold))
    line = lines(folder, "better", "plain", "--resamples", 200, "--tasks", task)[task]
    assert line["why_no_examples"] == "the predictions of better-0 do not give its recorded score"


def test_an_average_that_is_not_the_mean_rests_on_seeds(results: Path) -> None:
    record = read_record(results / "plain-2")
    assert record is not None
    changed = [replace(s, value=0.5) if s.task == "STS" else s for s in record.scores]
    finish(results / "plain-2", replace(record, scores=changed))
    found = lines(results, "better", "plain", "--tasks", "STS")["Avg"]
    assert found["why_no_examples"] == "what this average is made of is not recorded"


def test_one_seed_says_so(results: Path) -> None:
    for seed in range(1, SEEDS):
        (results / f"plain-{seed}" / "record.json").unlink()
    found = lines(results, "better", "plain", "--tasks", "STS12", "--resamples", 500)["STS12"]
    assert (found["rests_on"], found["seeds"], found["effect"]) == ("examples", 1, None)
    assert "One pair of seeds" in output(results, "better", "plain", "--resamples", 300)


def test_a_row_is_named_by_its_place_on_the_grid(tmp_path: Path) -> None:
    folder = write_sample(tmp_path / "pets")
    found = lines(folder, "+CML@teacher=one", "baseline")["STS12"]
    assert found["difference"] == pytest.approx(2)
    assert found["rests_on"] == "seeds"
    for wrong, words in (
        (("DALR", "baseline"), r"'DALR' is several rows; name one of: DALR@teacher=one, DALR@teacher=two"),
        (("DALR@teacher=three", "baseline"), "no row is called 'DALR@teacher=three'. Did you mean"),
        (("DALL", "baseline"), "no row is called 'DALL'. Did you mean 'DALR'"),
        (("teacher", "baseline"), "no row is called 'teacher'"),
        (("baseline", "baseline"), "are the same runs"),
        (("+CML@teacher=two", "baseline"), "no seed that is done in both rows"),
    ):
        with pytest.raises(SuiteError, match=words) as caught:
            output(folder, *wrong)
        assert "\n" not in str(caught.value)


def test_faults_are_one_line(results: Path) -> None:
    with pytest.raises(DataError, match="no such results folder"):
        output(results / "absent", "better", "plain")
    with pytest.raises(SuiteError, match="STS12"):
        output(results, "better", "plain", "--tasks", "STS21")


def test_rows_scored_in_two_ways_are_not_compared(results: Path) -> None:
    for seed in range(SEEDS):
        record = read_record(results / f"plain-{seed}")
        assert record is not None
        finish(results / f"plain-{seed}", replace(record, scores=[replace(s, protocol="v") for s in record.scores]))
    with pytest.raises(SuiteError, match="--mix-protocols"):
        output(results, "better", "plain")
    assert lines(results, "better", "plain", "--mix-protocols", "--tasks", "MR")


def test_help_is_light() -> None:
    code = (
        "import sys\nfrom dalr_bench.cli.main import main\n"
        "try:\n    main(['compare', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('HEAVY', sorted({'torch', 'numpy', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "Example" in done.stdout


def test_two_rows_of_five_seeds_and_seven_sets_in_five_seconds(tmp_path: Path) -> None:
    """The field's sizes and 10,000 draws, start and reading included, as processor time: the machine may be shared."""
    folder = write(tmp_path / "s", {task: 10 * size for task, size in SEVEN.items()})
    line = [sys.executable, "-m", "dalr_bench", "compare", str(folder), "better", "plain", "--tasks", "S*", "--json"]
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(line, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after, wall = os.times(), time.perf_counter() - started
    used = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"compare: {used:.1f} s of processor, {wall:.1f} s on the clock")
    assert len(json.loads(done.stdout)["tasks"]) == 8
    assert used < 5
