"""Streams whose shards lie behind addresses, through the command: the weights of shards on the disk, whatever the network does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import torch
from safetensors.torch import load_file
from tar_shards import captioned
from test_streaming import Killed, deadly, equal
from web_server import Web, web

from dalr_bench.cli.main import main
from dalr_bench_plugins.reading import afar

SUITE = """\
suite: afar
base:
  backbone: {{name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16, vocabulary_size: 40}}
  streams:
    text: {{name: webdataset, shards: "{place}/{{000..004}}.tar", streaming: true, window: 16}}
  losses:
    info: {{name: infonce}}
  train: {{steps: 18, batch: 8, lr: 1e-3, log_every: 1}}
  evaluate: [{{name: scenes, pairs: 60, probes: false}}]
"""
SIZES = [13, 9, 14, 18, 10]  # 64 rows: a pass is four windows of two steps
SECRET = "https://me:hunter2@host/0.tar"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(afar, "_WAITS", (0.0,) * 5)
    for name in ("HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "cache"))
    with web(tmp_path / "shards") as served:
        captioned(served.folder, SIZES)
        yield served


def line(tmp_path: Path, place: str) -> list[str]:
    """The command for a suite whose shards are at a place; each has its own results."""
    results = tmp_path / place.partition(":")[0].strip("/").replace("/", "-")
    results.mkdir(exist_ok=True)
    (results / "suite.yaml").write_text(SUITE.format(place=place))
    return ["run", str(results / "suite.yaml"), "--results", str(results), "--executor", "inline", "--device", "cpu"]


def run(given: list[str], *more: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*given, *more])
    return int(left.value.code or 0)


def weights(given: list[str]) -> dict[str, torch.Tensor]:
    return load_file(next(Path(given[3]).glob("afar/*/weights.safetensors")))


def test_connections_that_end_on_the_way_change_nothing(server: Web, tmp_path: Path) -> None:
    here, there = line(tmp_path, str(server.folder)), line(tmp_path, server.address)
    assert run(here) == 0
    # Cut within a member, at its edge, after its last byte, and before anything came at all; busy, and then cut again.
    server.cuts |= {"/001.tar": [700, 1024, 1024, 9 * 2048], "/003.tar": [0, 0, 5000]}
    server.says["/004.tar"] = [200 + 303, 500]
    assert run(there) == 0
    assert not any(server.cuts.values())
    assert not any(server.says.values())
    assert equal(weights(here), weights(there))
    kept = [path for path in (tmp_path / "cache" / "windows").rglob("*") if path.is_file()]
    assert not kept


def test_killed_in_the_middle_of_a_stream_and_run_again(server: Web, tmp_path: Path) -> None:
    here, there = line(tmp_path, str(server.folder)), line(tmp_path, server.address)
    assert run(here) == 0
    for at in (3, 12):  # inside of a window, and in the second pass
        with deadly(at, Killed), pytest.raises(Killed):
            run(there, "--checkpoint-every", "1steps")
    server.cuts["/002.tar"] = [3000]
    assert run(there) == 0
    events = next(Path(there[3]).glob("afar/*/events.jsonl")).read_text().splitlines()
    assert [json.loads(event)["step"] for event in events if '"resumed"' in event] == [2, 11]
    assert equal(weights(here), weights(there))


@pytest.mark.slow
def test_killed_for_good_in_the_middle_of_a_stream_and_run_again(server: Web, tmp_path: Path) -> None:
    here, there = line(tmp_path, str(server.folder)), line(tmp_path, server.address)
    assert run(here) == 0
    struck = 0
    for wanted in (3, 10):
        command = [sys.executable, "-m", "dalr_bench", *there, "--checkpoint-every", "1steps"]
        with subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and not list(Path(there[3]).glob(f"afar/*/checkpoints/{wanted:09d}")):
                time.sleep(0.002)
            struck += process.poll() is None
            process.kill()
    assert struck
    assert run(there) == 0
    assert equal(weights(here), weights(there))


def told(capsys: pytest.CaptureFixture[str], naming: str) -> str:
    """The one line of what was printed that names a shard; nothing else may look like a fault."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    found = {one for one in text.splitlines() if naming in one}
    assert len(found) == 1, text
    return found.pop()


def test_a_missing_shard_is_one_line_before_anything_runs(
    server: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (server.folder / "003.tar").unlink()
    assert run(line(tmp_path, server.address)) == 4
    said = told(capsys, "003.tar")
    assert "suite.yaml:5:11 streams.text: " in said
    assert f"'{server.address}/003.tar' no such shard: the server says 404" in said
    assert not list(tmp_path.rglob("record.json"))


def test_a_server_that_is_lost_for_good_is_one_line_and_the_run_goes_on_later(
    server: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = line(tmp_path, str(server.folder)), line(tmp_path, server.address)
    assert run(here) == 0
    server.cuts["/002.tar"] = [3000] * 6
    assert run(there) == 4
    record = json.loads(next(Path(there[3]).glob("afar/*/record.json")).read_text())
    assert record["exit_code"] == 4
    said = f"{server.address}/002.tar: cannot be read: lost 6 times after byte 3000 of "
    assert said in record["error"]
    assert said in told(capsys, "lost 6 times")
    assert run(there) == 0
    assert equal(weights(here), weights(there))


def test_a_shard_that_went_away_while_training_is_one_line(
    server: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = line(tmp_path, server.address)
    server.says["/001.tar"] = []
    (server.folder / "001.tar").rename(server.folder / "gone")
    server.moved["/001.tar"] = f"{server.address}/gone"
    with deadly(2, Killed), pytest.raises(Killed):
        run(there, "--checkpoint-every", "1steps")
    server.moved.clear()
    assert run(there) == 4
    assert f"{server.address}/001.tar: no such shard" in told(capsys, "001.tar")


def test_a_bucket_gives_the_weights_of_the_disk(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`memory://` stands for it: s3 and gs go the same way, through fsspec."""
    here, there = line(tmp_path, str(server.folder)), line(tmp_path, "memory://bucket/set")
    files = fsspec.filesystem("memory")
    for file in server.folder.iterdir():
        files.pipe(f"/bucket/set/{file.name}", file.read_bytes())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run(here) == 0
    assert run(there) == 0
    assert equal(weights(here), weights(there))
    files.rm("/bucket/set/004.tar")
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "another"))
    assert run(there, "--set", "train.steps=16") == 4
    assert "'memory://bucket/set/004.tar' no such shard" in told(capsys, "004.tar")


def test_an_identity_states_the_addresses_and_what_their_server_told(
    server: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = line(tmp_path, server.address)[1]

    def identity() -> str:
        with pytest.raises(SystemExit):
            main(["explain", place, "base", "--json"])
        return str(json.loads(capsys.readouterr().out)["identity"])

    first = identity()
    assert identity() == first
    captioned(server.folder, [*SIZES[:4], 11])
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / "later"))
    assert identity() != first


def test_a_secret_is_refused_and_written_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = line(tmp_path, "https")
    Path(given[1]).write_text(SUITE.format(place=SECRET).replace("/{000..004}.tar", ""))
    assert run(given) == 4
    out = capsys.readouterr()
    assert "'https://host/0.tar' an address with a password" in out.err
    assert "hunter2" not in out.out + out.err
    assert not [path for path in tmp_path.rglob("*.json*") if "hunter2" in path.read_text()]
