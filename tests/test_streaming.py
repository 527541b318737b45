"""Streams in windows, through the command: the weights of an ordinary store, stopped anywhere or not, and nothing left on the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tar_shards import captioned
from tiny_models import clip_folder, text_folder

from dalr_bench.cli.main import main
from dalr_bench.config import TrainOptions
from dalr_bench.data.tokens import TokenStore, token_store
from dalr_bench.plugin.manager import load
from dalr_bench.record.store import read_config
from dalr_bench.streaming import Streaming
from dalr_bench.telling import Teller
from dalr_bench.types import Corpus
from dalr_bench.workshop import Workshop
from dalr_bench_plugins.networks.pooling import Pooling
from dalr_bench_plugins.teachers.hf_text import HFText

SIZES = [5, 9, 4, 8, 6]  # records, two captions each: 64 rows
ROWS = 2 * sum(SIZES)

SUITE = """\
suite: streamed
seeds: [0, 1]
base:
  backbone: {{name: hf, layers: 1, hidden: 16, heads: 2, feed_forward: 16, vocabulary_size: 40}}
  streams:
    pairs: {{name: webdataset, root: shards, shards: "*.tar", text: json, field: caption, image: png}}
  teachers:
    first: {{name: hf_text, model: {models}/first}}
    second: {{name: hf_text, model: {models}/second, pooling: mean}}
    eye: {{name: hf_clip, model: {models}/clip}}
  losses:
    info: {{name: infonce}}
    rank: {{name: listmle, teacher: first, weight: 0.3}}
    more: {{name: listmle, teacher: second, weight: 0.1}}
    grounding: {{name: image_grounding, image: eye, dim: 8, weight: 0.3}}
    pixels: {{name: image_text, pixels: 8, channels: [4, 4], dim: 8, weight: 0.1}}
  train: {{steps: 18, batch: 8, lr: 1e-3, log_every: 1, dev: {{name: scenes, split: dev, pairs: 60}}, dev_every: 7}}
  evaluate: [{{name: scenes, pairs: 60, probes: false}}]
ablate:
  ordinary: {{}}
  one window: {{streams.pairs.streaming: true}}
  exactly one: {{streams.pairs.streaming: true, streams.pairs.window: {rows}}}
  windows of 16: {{streams.pairs.streaming: true, streams.pairs.window: 16}}
  windows of 24: {{streams.pairs.streaming: true, streams.pairs.window: 24, streams.pairs.rows: {rows}}}
  two streams:
    streams.text: {{name: webdataset, root: shards, shards: "*.tar", streaming: true, window: 20}}
    streams.pairs.streaming: true
    streams.pairs.window: 16
    losses.grounding.on: [pairs]
    losses.pixels.on: [pairs]
    train: {{mix: every, every: 2}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streamed")
    captioned(folder / "shards", SIZES, pictures=True, captions=2)
    text_folder(folder / "models" / "first")
    text_folder(folder / "models" / "second", seed=1)
    clip_folder(folder / "models" / "clip", "CLIP")
    (folder / "suite.yaml").write_text(SUITE.format(models=folder / "models", rows=ROWS))
    return folder


def run(place: Path, results: Path, variant: str, *more: str) -> int:
    line = ["run", str(place / "suite.yaml"), "--results", str(results), "--executor", "inline", "--seed", "0"]
    with pytest.raises(SystemExit) as left:
        main([*line, "--only", variant, *more])
    return int(left.value.code or 0)


def weights(results: Path, variant: str) -> dict[str, torch.Tensor]:
    folder = next((results / "streamed").glob(f"{variant.replace(' ', '_')}-*"))
    assert json.loads((folder / "record.json").read_text())["status"] == "done"
    return load_file(folder / "weights.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def undisturbed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    """Weights of all variants, each of a cache of its own, and what the cache holds afterwards."""
    found = {}
    for variant in ("ordinary", "one window", "exactly one", "windows of 16", "windows of 24", "two streams"):
        results = tmp_path_factory.mktemp("whole")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DALR_BENCH_CACHE", str(results / "cache"))
            assert run(place, results, variant) == 0
        found[variant] = weights(results, variant)
        left = sorted(path.name for path in (results / "cache" / "windows").rglob("*") if path.is_file())
        assert not left, (variant, left)
    return found


def test_a_window_that_holds_all_rows_gives_the_weights_of_an_ordinary_store(
    undisturbed: dict[str, dict[str, torch.Tensor]],
) -> None:
    assert equal(undisturbed["ordinary"], undisturbed["one window"])
    assert equal(undisturbed["ordinary"], undisturbed["exactly one"])
    others = [undisturbed[name] for name in ("windows of 16", "windows of 24", "two streams")]
    assert not any(equal(undisturbed["ordinary"], other) for other in others)


class Killed(BaseException):
    """Passes every handler a process has."""


@contextmanager
def deadly(at: int, raised: Callable[[], BaseException]) -> Iterator[None]:
    tell = Teller.step

    def dying(self: Teller, step: int, *arguments: Any) -> None:
        tell(self, step, *arguments)
        if step == at:
            raise raised()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Teller, "step", dying)
        yield


# Windows of 16 rows are two steps long, a pass of 64 rows has eight steps: 3 and 13 lie inside of a window, 4 and 16 at its edge.
@pytest.mark.parametrize(
    ("variant", "deaths", "forget"),
    [
        ("windows of 16", [3], False),
        ("windows of 16", [4, 13], False),
        ("windows of 16", [13, 16], True),
        ("windows of 24", [5, 11], False),
        ("two streams", [7, 12], False),
        ("two streams", [9], True),
    ],
)
def test_killed_in_a_window_and_run_again(
    place: Path,
    tmp_path: Path,
    undisturbed: dict[str, dict[str, torch.Tensor]],
    variant: str,
    deaths: list[int],
    forget: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number, at in enumerate(deaths):
        monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / f"cache{number if forget else 0}"))
        with deadly(at, Killed), pytest.raises(Killed):
            run(place, tmp_path, variant, "--checkpoint-every", "1steps")
    monkeypatch.setenv("DALR_BENCH_CACHE", str(tmp_path / ("cache9" if forget else "cache0")))
    assert run(place, tmp_path, variant) == 0
    events = next((tmp_path / "streamed").glob("*/events.jsonl")).read_text().splitlines()
    # A step is told after it was made and before its checkpoint.
    assert [json.loads(line)["step"] for line in events if '"resumed"' in line] == [at - 1 for at in deaths]
    assert equal(weights(tmp_path, variant), undisturbed[variant])


@pytest.mark.slow
def test_a_process_that_is_killed_for_good_goes_on(
    place: Path, tmp_path: Path, undisturbed: dict[str, dict[str, torch.Tensor]]
) -> None:
    """SIGKILL, three times, wherever it strikes: threads, spools and half-made windows included."""
    line = [
        sys.executable,
        "-m",
        "dalr_bench",
        "run",
        str(place / "suite.yaml"),
        "--results",
        str(tmp_path),
        "--executor",
    ]
    line += ["inline", "--seed", "0", "--only", "windows of 16", "--checkpoint-every", "1steps"]
    struck = 0
    for wanted in (2, 7, 13):
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not _reached(tmp_path, wanted):
                time.sleep(0.002)
            struck += process.poll() is None
            process.kill()
    assert struck >= 2
    assert run(place, tmp_path, "windows of 16") == 0
    assert equal(weights(tmp_path, "windows of 16"), undisturbed["windows of 16"])
    assert not [path for path in (tmp_path / "cache" / "windows").rglob("*") if path.name.endswith(".part")]


@pytest.mark.slow
def test_several_processes_go_through_the_same_windows(place: Path, tmp_path: Path) -> None:
    """Two processes with one window are two processes with an ordinary store, to the bit; with more they end, and leave nothing."""
    found = {}
    for variant in ("ordinary", "one window", "windows of 16"):
        results = tmp_path / variant.replace(" ", "-")
        line = [sys.executable, "-m", "dalr_bench", "run", str(place / "suite.yaml"), "--results", str(results)]
        line += ["--executor", "torchrun:processes=2", "--seed", "0", "--only", variant, "--device", "cpu"]
        environment = os.environ | {"DALR_BENCH_CACHE": str(results / "cache")}
        done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=500, check=False)
        assert done.returncode == 0, done.stderr
        found[variant] = weights(results, variant)
        left = [path for path in (results / "cache" / "windows").rglob("*") if path.is_file()]
        assert not left, (variant, left)
    assert equal(found["ordinary"], found["one window"])
    assert not equal(found["ordinary"], found["windows of 16"])


def _reached(results: Path, step: int) -> bool:
    found = [path.name for path in results.glob("streamed/*/checkpoints/*") if path.name.isdigit()]
    return any(int(name) >= step for name in found)


def test_an_interrupted_run_keeps_its_window(place: Path, tmp_path: Path) -> None:
    with deadly(5, KeyboardInterrupt):
        assert run(place, tmp_path, "windows of 16") == 130
    kept = list((tmp_path / "cache" / "windows").glob("*/meta.json"))
    assert len(kept) == 1


def workshop(place: Path, results: Path, variant: str) -> tuple[Workshop, dict[str, Any]]:
    folder = next((results / "streamed").glob(f"{variant.replace(' ', '_')}-*"))
    return Workshop(load(), torch.device("cpu")), dict(read_config(folder))


def none(variant: str, seed: int | None) -> Any:
    raise AssertionError


def test_rows_of_a_window_are_what_its_teachers_say_of_its_sentences(place: Path, tmp_path: Path) -> None:
    assert run(place, tmp_path, "windows of 16", "--set", "train.steps=1") == 0
    made, config = workshop(place, tmp_path, "windows of 16")
    built = made.build(config, none)
    stream = made.streams(built)["pairs"]
    assert isinstance(stream, Streaming)
    window = stream.windows.take(0, 2)
    texts = list(window.corpus.sentences)
    bank = built.ask("pairs", window.corpus)
    every = torch.arange(len(texts))
    images = torch.as_tensor(window.corpus.image_of)
    rows = bank.gather(every, images)
    named: dict[str, Pooling] = {"first": "cls_before_pooler", "second": "mean"}
    of_text = []
    for name, pooling in named.items():
        asked = HFText(str(place / "models" / name), pooling=pooling).encode_text(texts)
        found = rows[name].text_NT
        assert found is not None
        torch.testing.assert_close(found, asked, rtol=1e-5, atol=1e-5)
        of_text.append(found)
    assert not torch.allclose(*of_text)
    assert rows["eye"].image_NE is not None
    assert len(rows["eye"].image_NE.unique(dim=0)) == len(window.corpus.images or ())
    window.drop()
    stream.windows.close()


def test_evaluation_and_logging_change_nothing(
    place: Path, tmp_path: Path, undisturbed: dict[str, dict[str, torch.Tensor]]
) -> None:
    assert run(place, tmp_path, "windows of 16", "--set", "train.log_every=18", "--set", "train.keep=last") == 0
    looked = weights(tmp_path, "windows of 16")
    assert run(place, tmp_path / "bare", "windows of 16", "--set", "train.keep=last", "--set", "train.dev=null") == 0
    assert equal(looked, weights(tmp_path / "bare", "windows of 16"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda shards: (shards / "002.tar").write_bytes((shards / "002.tar").read_bytes()[:3000]),
            "002.tar: after member",
        ),
        (
            lambda shards: (shards / "003.tar").write_bytes(b"no tar at all" * 100),
            "003.tar: the archive is cut or damaged",
        ),
    ],
)
def test_a_shard_that_is_spoiled_leaves_with_4_and_names_it(
    place: Path, tmp_path: Path, spoil: Callable[[Path], Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    captioned(tmp_path / "shards", SIZES, pictures=True, captions=2)
    spoil(tmp_path / "shards")
    (tmp_path / "suite.yaml").write_text((place / "suite.yaml").read_text())
    assert run(tmp_path, tmp_path / "results", "windows of 16") == 4
    told = capsys.readouterr()
    record = json.loads(next((tmp_path / "results").glob("*/*/record.json")).read_text())
    assert record["exit_code"] == 4
    assert said in record["error"]
    assert said in told.err + told.out
    assert "Traceback" not in told.err
    assert not list((tmp_path / "cache" / "windows").rglob("*.npy"))


def test_a_shard_that_is_missing_is_a_fault_of_the_plan(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    captioned(tmp_path / "shards", [2, 2], pictures=True)
    (tmp_path / "suite.yaml").write_text((place / "suite.yaml").read_text().replace('"*.tar"', '"{000..002}.tar"'))
    assert run(tmp_path, tmp_path / "results", "ordinary") == 4
    told = capsys.readouterr().err
    assert "suite.yaml:6:" in told
    assert "002.tar' no such shard" in told


def test_memory_of_a_window_does_not_grow_with_the_corpus(place: Path, tmp_path: Path) -> None:
    """Sentences are let go when a window is open: what stays are its integers and rows."""
    assert run(place, tmp_path, "windows of 16", "--set", "train.steps=1") == 0
    made, config = workshop(place, tmp_path, "windows of 16")
    built = made.build(config, none)
    stream = made.streams(built)["pairs"]
    assert isinstance(stream, Streaming)
    plan = made.schedule(built, TrainOptions(steps=16, batch=8), 0)
    sizes = set()
    for step in range(16):
        where = plan.place(step)
        opened = stream.at(where.epoch, where.window)
        assert stream._window is not None
        assert not len(stream._window.corpus.sentences)
        sizes.add(len(opened.tokens.lengths))
        assert len(made.teaching._stores) == 0
        assert np.all(where.rows < 16)
    assert sizes == {16}
    stream.leave()
    stream.windows.close()


def test_a_teacher_of_stored_rows_cannot_be_matched(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "rows.npz", text=np.zeros((ROWS, 4), np.float32))
    text = (place / "suite.yaml").read_text()
    text = text.replace("root: shards", f"root: {place}/shards")
    stored = f"first: {{name: stored, path: {tmp_path}/rows.npz}}"
    text = "\n".join(f"    {stored}" if line.startswith("    first:") else line for line in text.splitlines())
    (tmp_path / "suite.yaml").write_text(text)
    assert run(tmp_path, tmp_path / "results", "windows of 16") == 2
    assert (
        "holds the rows of a whole corpus, which cannot be matched with a stream in windows" in capsys.readouterr().err
    )


def test_stores_of_a_corpus_go_where_it_says(tmp_path: Path) -> None:
    class Words:
        pad_id, mask_id, special_ids, size, fingerprint = 0, None, frozenset({0}), 128, "words"

        def __call__(self, sentences: Any) -> list[list[int]]:
            return [[1] for _ in sentences]

    found: TokenStore = token_store(Words(), Corpus(["a"], "x", stores=str(tmp_path / "own")))
    assert len(found) == 1
    assert len(list((tmp_path / "own" / "tokens").glob("*/meta.json"))) == 1
