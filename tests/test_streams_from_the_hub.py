"""Streams of a hub (a small one, on this machine), through the command: the weights of the same rows on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import torch
from fake_dataset import NAME, Hub, dataset_hub
from safetensors.torch import load_file
from tar_shards import captioned, sentence
from test_streaming import equal

SUITE = """\
suite: hub
base:
  backbone: {{name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16, vocabulary_size: 40}}
  streams:
    text: {table}
  losses:
    info: {{name: infonce}}
  train: {{steps: 18, batch: 8, lr: 1e-3, log_every: 1}}
  evaluate: [{{name: scenes, pairs: 60, probes: false}}]
ablate:
  table: {{}}
  tars: {{streams: {{text: {tars}}}}}
"""
CARD = b"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n"
AFAR = {
    "table": f"{{name: hf_dataset, dataset: {NAME}, column: caption, streaming: true, window: 16}}",
    "tars": f'{{name: webdataset, shards: "hf://datasets/{NAME}/tars/*.tar", streaming: true, window: 16}}',
}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    files = {"README.md": CARD}
    (tmp_path / "data").mkdir()
    for shard in range(4):
        table = pyarrow.table({"caption": [sentence(20 * shard + row) for row in range(20)]})
        pyarrow.parquet.write_table(table, tmp_path / "data" / f"train-{shard:05}-of-00004.parquet")
    captioned(tmp_path / "tars", [20] * 4)
    for folder in ("data", "tars"):
        files |= {f"{folder}/{path.name}": path.read_bytes() for path in (tmp_path / folder).iterdir()}
    with dataset_hub(files) as served:
        yield served


def own() -> dict[str, str]:
    """This process's environment, without what leads to the hub or away from it. Commands that ran here with --offline may have
    left TRANSFORMERS_OFFLINE, which the hub's client heeds too."""
    away = ("HF_", "TRANSFORMERS_OFFLINE")
    return {key: value for key, value in os.environ.items() if not key.startswith(away) and "proxy" not in key.lower()}


def command(hub: Hub, results: Path, streams: dict[str, str], *more: str) -> subprocess.Popen[str]:
    results.mkdir(exist_ok=True)
    (results / "suite.yaml").write_text(SUITE.format(**streams))
    line = [sys.executable, "-m", "dalr_bench", "run", str(results / "suite.yaml"), "--results", str(results)]
    place = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(results / "hf"), "DALR_BENCH_CACHE": str(results / "cache")}
    line += ["--executor", "inline", "--device", "cpu", *more]
    return subprocess.Popen(line, env={**own(), **place}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(hub: Hub, results: Path, streams: dict[str, str], *more: str) -> tuple[int, str]:
    with command(hub, results, streams, *more) as process:
        told = process.communicate(timeout=300)[1]
    return process.returncode, told


def weights(results: Path, variant: str) -> dict[str, torch.Tensor]:
    return load_file(next(results.glob(f"hub/{variant}-*/weights.safetensors")))


def test_a_hub_gives_the_weights_of_the_disk(hub: Hub, tmp_path: Path) -> None:
    here = {
        "table": f"{{name: hf_dataset, path: {tmp_path}/data, column: caption, streaming: true, window: 16}}",
        "tars": f'{{name: webdataset, root: {tmp_path}/tars, shards: "*.tar", streaming: true, window: 16}}',
    }
    hub.cuts = {"data/train-00002-of-00004.parquet": [100], "tars/001.tar": [5000]}
    for place, streams in (("afar", AFAR), ("here", here)):
        code, told = run(hub, tmp_path / place, streams)
        assert code == 0, told
    assert not any(hub.cuts.values())
    for variant in AFAR:
        assert equal(weights(tmp_path / "afar", variant), weights(tmp_path / "here", variant))
    tables = [asked for asked in hub.asked if asked.endswith(".parquet")]
    assert tables
    assert all(hub.commit in asked for asked in tables)  # what a branch meant when the run was planned
    assert not [path for path in (tmp_path / "afar" / "cache" / "windows").rglob("*") if path.is_file()]
    # The same commit is the same run; another one is another run; without the network the last known one counts.
    identities = [_identity(hub, tmp_path / "afar", offline) for offline in (False, True)]
    assert identities[0] == identities[1]
    hub.commit = hashlib.sha1(b"later").hexdigest()
    assert _identity(hub, tmp_path / "afar", False) == identities[0]  # remembered for an hour
    for memory in (tmp_path / "afar" / "cache" / "addresses").iterdir():
        memory.unlink()
    assert _identity(hub, tmp_path / "afar", False) != identities[0]


def _identity(hub: Hub, results: Path, offline: bool) -> str:
    line = [sys.executable, "-m", "dalr_bench", "explain", str(results / "suite.yaml"), "table", "--json"]
    place = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": str(int(offline)), "DALR_BENCH_CACHE": str(results / "cache")}
    done = subprocess.run(line, env={**own(), **place}, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["identity"])


def test_what_the_hub_has_not_is_one_line(hub: Hub, tmp_path: Path) -> None:
    hub.files.pop("tars/002.tar")
    named = AFAR["tars"].replace("*.tar", "{000..003}.tar")
    code, told = run(hub, tmp_path / "one", {**AFAR, "tars": named})
    assert (code, "Traceback" in told) == (4, False)
    (line,) = [one for one in told.splitlines() if "002.tar" in one]
    assert f"'hf://datasets/{NAME}/tars/002.tar' no such shard" in line
    code, told = run(hub, tmp_path / "two", {**AFAR, "table": AFAR["table"].replace(NAME, "someone/else")})
    assert (code, "Traceback" in told) == (4, False)
    (line,) = [one for one in told.splitlines() if "someone/else" in one]
    assert "suite.yaml:5:11 streams.text" in line


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["table", "tars"])
def test_killed_for_good_in_the_middle_and_run_again(hub: Hub, tmp_path: Path, variant: str) -> None:
    assert run(hub, tmp_path / "whole", AFAR, "--only", variant)[0] == 0
    more = ("--only", variant, "--checkpoint-every", "1steps")
    with command(hub, tmp_path / "killed", AFAR, *more) as process:
        kept = tmp_path / "killed" / "hub"
        while process.poll() is None and not list(kept.glob(f"{variant}-*/checkpoints/{5:09d}")):
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert run(hub, tmp_path / "killed", AFAR, *more)[0] == 0
    assert '"resumed"' in next(kept.glob(f"{variant}-*/events.jsonl")).read_text()
    assert equal(weights(tmp_path / "whole", variant), weights(tmp_path / "killed", variant))
