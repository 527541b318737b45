"""Trackers asked for by name: what they are given, what becomes of one that fails, and how workers learn of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tracked import TINY, same_weights, trained

from dalr_bench import PluginError, SuiteError
from dalr_bench.cli.main import main
from dalr_bench.plugin.manager import Plugins, load
from dalr_bench.plugin.named import parse
from dalr_bench.plugin.trackers import VARIABLE, asked_for, attach, told_to_workers
from dalr_bench.train import weights


class Meddler:
    """Changes all it is given, and draws from every generator there is."""

    seen: list[str]

    def __init__(self) -> None:
        self.seen = []

    def run_started(self, run_id: str, config: dict[str, Any]) -> None:
        self.seen.append("run_started")
        config["losses"].clear()
        config["train"]["lr"] = 9.0

    def step_finished(self, run_id: str, step: int, values: dict[str, float]) -> None:
        import random

        import numpy as np
        import torch

        random.random(), np.random.rand(), torch.rand(3)
        values.clear()
        self.seen.append("step_finished")


class Broken(Meddler):
    """Fails at its second step."""

    def step_finished(self, run_id: str, step: int, values: dict[str, float]) -> None:
        self.seen.append("step")
        if len(self.seen) > 2:
            raise OSError("the disk\nis full")


@pytest.fixture
def made() -> list[Meddler]:
    return []


@pytest.fixture
def plugins(made: list[Meddler]) -> Plugins:
    found = load()

    def add(kind: type[Meddler]) -> Any:
        def build() -> Meddler:
            made.append(kind())
            return made[-1]

        return build

    for name, kind in (("meddler", Meddler), ("broken", Broken)):
        found.catalogue.add("tracker", name, add(kind), "test", "1")
    return found


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("wandb", "wandb", {}),
        ("wandb:project=mine,mode=offline", "wandb", {"project": "mine", "mode": "offline"}),
        ("x:on=true,n=3,uri=http://h:5000/a=b", "x", {"on": True, "n": 3, "uri": "http://h:5000/a=b"}),
    ],
)
def test_a_text_is_a_name_and_options(text: str, name: str, options: dict[str, Any]) -> None:
    part = parse(text, "--tracker")
    assert (part.name, part.options) == (name, options)


def test_what_is_malformed_or_unknown_is_told(plugins: Plugins) -> None:
    with pytest.raises(SuiteError, match="expected NAME or NAME:key=value"):
        parse("wandb:offline", "--tracker")
    with pytest.raises(PluginError, match=r"no tracker is called 'medler'. Did you mean 'meddler'"):
        attach(plugins, ["medler"], lambda *_: None)
    with pytest.raises(SuiteError, match=r"--tracker meddler\.loud: tracker 'meddler' has no such option"):
        attach(plugins, ["meddler:loud=true"], lambda *_: None)


def test_a_missing_library_ends_a_command_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> None:
        return None

    monkeypatch.setattr("dalr_bench_plugins.tracking.installed.find_spec", absent)
    with pytest.raises(SystemExit) as left:
        main(["run", str(TINY), "--results", str(tmp_path / "r"), "--tracker", "wandb"])
    assert left.value.code == 3
    assert "pip install 'dalr-bench[wandb]'" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_workers_are_asked_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert asked_for() == []
    with told_to_workers(["a:x=1", "b"]):
        assert asked_for() == ["a:x=1", "b"]
        assert asked_for(["c"]) == ["c"]
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "d")
    with told_to_workers(asked_for()):
        assert asked_for() == ["d"]
    assert os.environ[VARIABLE] == "d"


@pytest.mark.parametrize("name", ["meddler", "broken"])
def test_looking_changes_nothing_whatever_a_tracker_does(
    name: str,
    plugins: Plugins,
    made: list[Meddler],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = trained(tmp_path / "plain")
    monkeypatch.setattr("dalr_bench.plugin.manager.load", lambda: plugins)
    capsys.readouterr()
    watched = trained(tmp_path / "watched", "--tracker", name)
    assert same_weights(plain, watched)
    (tracker,) = [one for one in made if one.seen]
    told = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    if name == "broken":
        assert len(told) == 1
        assert "'broken' failed and is called no more (OSError: the disk is full); the run goes on" in told[0]
        assert len(tracker.seen) == 3  # started, one step, the failing step: then no more
    else:
        assert told == []
        assert tracker.seen.count("step_finished") == 6  # the picture teacher's two steps, then four


def test_a_worker_follows_too_and_its_warning_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stranger's distribution with a tracker that fails: told once for the process, weights as without."""
    (tmp_path / "sulky.py").write_text(
        "from dalr_bench import hookimpl\nclass Sulky:\n"
        "    def step_finished(self, run_id, step, values):\n        raise RuntimeError('not today')\n"
        "@hookimpl\ndef register_trackers(register):\n    register('sulky', Sulky)\n"
    )
    info = tmp_path / "sulky-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sulky\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dalr_bench]\nsulky = sulky\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    plain = trained(tmp_path / "plain")
    capsys.readouterr()
    words = [
        "--only",
        "baseline",
        "--seed",
        "0",
        "--executor",
        "local",
        "--jobs",
        "2",
        "--device",
        "cpu",
        "--tracker",
        "sulky",
    ]
    with pytest.raises(SystemExit) as left:
        main(["run", str(TINY), "--results", str(tmp_path / "watched"), *words])
    assert left.value.code == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "not today" in line]
    assert len(told) == 1
    assert weights.digest(next((tmp_path / "watched" / "tiny").glob("baseline-*"))) == weights.digest(plain)
