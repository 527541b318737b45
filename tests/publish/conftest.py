"""Students read in every way a folder can state, trained once for all tests of publication."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench.cli.main import main

SUITE = """
suite: readings
seeds: [1, 0]
base:
  backbone: {name: hf, layers: 2, hidden: 16, heads: 2, feed_forward: 16}
  streams: {pairs: {name: scenes, scenes: 24, captions: 2}}
  teachers: {text: {name: run, variant: first, seed: 0}}
  losses: {info: infonce}
  train: {steps: 2, batch: 8, lr: 1e-3}
  evaluate: [{name: scenes, pairs: 50, probes: false}]
ablate:
  first: {}
  unit mean: {backbone.pooling: mean, backbone.normalize: true}
  head: {backbone.keep_head: true}
  layers: {backbone.pooling: first_last}
  taught: {losses.rank: {name: listmle, teacher: text}}
  bag: {backbone: {name: bag_of_words}, train.steps: 0, losses: null, teachers: null}
"""


@pytest.fixture(scope="session")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of the suite above; its file lies beside `results`."""
    folder = tmp_path_factory.mktemp("readings")
    (folder / "readings.yaml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALR_BENCH_CACHE", str(folder / "cache"))
        words = ["--results", str(folder / "results"), "--executor", "inline", "--device", "cpu"]
        with pytest.raises(SystemExit) as left:
            main(["run", str(folder / "readings.yaml"), *words])
    assert left.value.code == 0
    return folder / "results" / "readings"
