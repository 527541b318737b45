"""`bench growth`: points found by name, real steps measured in turn, the same step as a run makes; table, JSON, picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dalr_bench.cli.main import main
from dalr_bench.errors import SuiteError
from dalr_bench.growth.measure import Grown, Side, grow
from dalr_bench.growth.picture import draw
from dalr_bench.growth.points import Point, axes
from dalr_bench.growth.result import document, lines
from dalr_bench.plugin.manager import Plugins, load
from dalr_bench.suite import expand
from dalr_bench.suite import load as load_suite
from dalr_bench.train.engine import Watch
from dalr_bench.workshop import Workshop

ROOT = Path(__file__).parents[2]
SUITE = """
suite: small
base:
  backbone: {name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16}
  streams: {text: {name: scenes, scenes: 40, captions: 2}}
  losses: {info: infonce}
  train: {steps: 9, batch: 8, lr: 1e-3}
  evaluate: [scenes]
ablate:
  batch 8: {}
  batch 32: {train.batch: 32}
  corpus 80: {}
  corpus 8000: {streams.text.scenes: 4000}
  other: {train.lr: 1e-2}
"""


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load()


def points(tmp_path: Path, plugins: Plugins, text: str = SUITE) -> dict[str, list[Point]]:
    path = tmp_path / "small.yaml"
    path.write_text(text)
    return axes(expand(load_suite(path), plugins.catalogue))


def test_points_are_variants_by_name_in_the_order_of_their_numbers(tmp_path: Path, plugins: Plugins) -> None:
    found = points(tmp_path, plugins)
    assert {axis: [point.number for point in each] for axis, each in found.items()} == {
        "batch": [8, 32], "corpus": [80, 8000]
    }  # fmt: skip
    assert [point.config["train"]["batch"] for point in found["batch"]] == [8, 32]


def test_a_suite_without_points_is_told(tmp_path: Path, plugins: Plugins) -> None:
    with pytest.raises(SuiteError, match="no variant is called AXIS NUMBER"):
        points(tmp_path, plugins, SUITE.split("ablate:")[0])


def test_a_point_that_rests_on_a_run_is_told(tmp_path: Path, plugins: Plugins) -> None:
    text = (ROOT / "tests" / "suites" / "tiny.yaml").read_text().replace("  ranked:", "  ranked 1:")
    with pytest.raises(SuiteError, match="ranked 1: needs runs that are trained first"):
        points(tmp_path, plugins, text)


def test_memory_follows_the_batch_and_what_stays_follows_the_corpus(tmp_path: Path, plugins: Plugins) -> None:
    found = points(tmp_path, plugins)
    workshop = Workshop(plugins, torch.device("cpu"))
    batch = grow(found["batch"], workshop, 3)
    assert [each.sentences for each in batch] == [8, 32]
    assert all(len(each.seconds) == 3 and min(each.seconds) > 0 for each in batch)
    assert (batch[1].peak_bytes or 0) > 2 * (batch[0].peak_bytes or 0)
    assert all(4 < each.tokens < 32 for each in batch)
    corpus = grow(found["corpus"], workshop, 1)
    assert corpus[1].resident_bytes - corpus[0].resident_bytes > 7000 * 2 * 8  # ids of 7,920 sentences more
    assert (corpus[1].peak_bytes or 0) < 2 * (corpus[0].peak_bytes or 0)


def test_its_steps_are_those_of_a_run(tmp_path: Path, plugins: Plugins) -> None:
    point = points(tmp_path, plugins)["batch"][0]
    workshop = Workshop(plugins, torch.device("cpu"))
    ours, run = Side.of(point, workshop), Side.of(point, workshop)
    for number in range(9):
        ours.step(number)
    run.engine.train(Watch(lambda step, steps, values: None))
    theirs = run.engine.student.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.engine.student.state_dict().items())


def made() -> dict[str, Any]:
    """Two points whose rounds are 1, 2, 4 and 3, 4, 12 seconds: ratios 3, 2, 3."""
    grown = [
        Grown(Point("batch", 8, {}), [1.0, 2.0, 4.0], 1e6, 2_000_000, 8, 11.5),
        Grown(Point("batch", 32, {}), [3.0, 4.0, 12.0], None, 2_000_000, 32, 11.5),
    ]
    return document({"batch": grown}, {"cpu": "some", "device": "cpu", "secret": 1}, 1)


def test_the_document_and_the_table_are_those_worked_out_by_hand() -> None:
    found = made()
    first, second = found["axes"]["batch"]
    assert (first["median"], first["ratio"], second["median"], second["ratio"]) == (2, 1, 4, 3)
    assert found["unit"] == "CPU seconds"
    assert "secret" not in found["machine"]
    head, row, other = list(lines(found))[2:]
    assert head.split()[0] == "batch"
    assert row.split() == ["8", "2", "1", "4", "1.000", "250.000", "11.5", "1.0", "2.0"]
    assert other.split()[-2:] == ["unknown", "2.0"]


def test_the_picture_is_drawn_and_another_ending_refused(tmp_path: Path) -> None:
    draw(made(), tmp_path / "a.svg")
    draw(made(), tmp_path / "a.png")
    text = (tmp_path / "a.svg").read_text()
    assert text.startswith("<svg")
    assert "batch" in text
    assert "CPU seconds" in text
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SuiteError, match=r"ends in \.svg or \.png"):
        draw(made(), tmp_path / "a.gif")


def test_the_command_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = str(ROOT / "suites" / "bench" / "growth.yaml")
    with pytest.raises(SystemExit) as left:
        main(["bench", "growth", suite, "--smoke", "--rounds", "1", "--axis", "batch", "--json"])
    assert left.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["number"] for point in found["axes"]["batch"]] == [16, 32, 64, 128]
    with pytest.raises(SystemExit) as left:
        main(["bench", "growth", suite, "--smoke", "--axis", "bach"])
    assert left.value.code == 2
    assert "Did you mean 'batch'?" in capsys.readouterr().err
