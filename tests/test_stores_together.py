"""A teacher's rows for one run on several processes, through the command: shared among them, resumed after a kill, the bytes of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dalr_bench.data.features import SHARD
from tests.plugins.executors.strangers import install

COUNT = 2 * SHARD["text"] + 10_000  # two whole shards and a third one
TEACHER = '''
"""A teacher that notes who asked it."""
import os, time
import torch
from dalr_bench import hookimpl

class Noting:
    """Source: this test."""
    def __init__(self) -> None:
        self.fingerprint = "noting"
    def encode_text(self, sentences):
        with open(os.environ["NOTES"], "a") as out:
            out.write(f"{os.environ.get('RANK', '0')} {' '.join(s.rpartition(' ')[2] for s in sentences)}\\n")
        time.sleep(float(os.environ["PAUSE"]))
        return torch.tensor([[float(len(s)), float(s.rpartition(" ")[2])] for s in sentences])

@hookimpl
def register_teachers(register):
    register("noting", Noting)
'''
SUITE = """
suite: together
base:
  backbone: {{name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16, vocabulary_size: 40}}
  streams: {{text: {{name: lines, path: {lines}}}}}
  teachers: {{noting: {{name: noting}}}}
  losses: {{info: {{name: infonce}}, rank: {{name: listmle, teacher: noting, weight: 0.1}}}}
  train: {{steps: 2, batch: 8}}
  evaluate: [{{name: scenes, pairs: 60, probes: false}}]
"""


@pytest.mark.slow
def test_rows_are_shared_resumed_and_the_bytes_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "noting_plugin", TEACHER, monkeypatch)
    (tmp_path / "lines.txt").write_text("".join(f"a dog {number}\n" for number in range(COUNT)))
    (tmp_path / "s.yaml").write_text(SUITE.format(lines=tmp_path / "lines.txt"))

    def command(name: str, executor: str, pause: float) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "dalr_bench", "run", str(tmp_path / "s.yaml"), "--results", str(tmp_path / name)]
        told = {
            "DALR_BENCH_CACHE": str(tmp_path / name / "cache"),
            "NOTES": str(tmp_path / name / "notes"),
            "PAUSE": str(pause),
        }
        (tmp_path / name).mkdir(exist_ok=True)
        line += ["--executor", executor, "--device", "cpu"]
        return subprocess.Popen(line, env=os.environ | told, start_new_session=True)

    def notes() -> list[list[str]]:
        return [line.split() for line in (tmp_path / "two" / "notes").read_text().splitlines()]

    two = tmp_path / "two" / "cache" / "features"
    with command("two", "torchrun:processes=2", 0.1) as killed:
        while not list(two.glob("*/shard-*.json")):
            assert killed.poll() is None
            time.sleep(0.02)
        everybody = [killed.pid, *_below(killed.pid)]
        for pid in everybody:
            os.kill(pid, signal.SIGKILL)
    finished = {path.stem for path in two.glob("*/shard-*.json")}
    assert len(finished) in (1, 2)
    assert {rank for rank, *_ in notes()} == {"0", "1"}
    (tmp_path / "two" / "notes").unlink()
    with command("two", "torchrun:processes=2", 0.0) as again:
        assert again.wait(300) == 0
    numbers = sorted(int(number) for _, *asked in notes() for number in asked)
    size = SHARD["text"]
    missing = [shard for shard in range(3) if f"shard-{shard:05}" not in finished]
    assert numbers == [number for shard in missing for number in range(shard * size, min(COUNT, (shard + 1) * size))]
    with command("one", "inline", 0.0) as alone:
        assert alone.wait(300) == 0
    assert _content(tmp_path / "one") == _content(tmp_path / "two")


def _below(pid: int) -> list[int]:
    inner = [int(name) for name in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [found for each in inner for found in (each, *_below(each))]


def _content(results: Path) -> dict[str, bytes]:
    """All stores of a cache: rows, tokens, and what is noted of them."""
    found = {}
    for folder in ("features", "tokens"):
        for path in (results / "cache" / folder).rglob("*"):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(results).parts):
                found[str(path.relative_to(results))] = path.read_bytes()
    assert len(found) > 7
    assert (
        json.loads(next(found[name] for name in found if name.endswith("meta.json") and "features" in name))["shards"]
        == 3
    )
    return found
