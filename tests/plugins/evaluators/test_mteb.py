"""The mteb library on local files: no two models share a score, a finished task is not run again, and `sts` agrees."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mteb")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

from dalr_bench import DataError, SuiteError
from dalr_bench_plugins.evaluators.mteb import Mteb
from dalr_bench_plugins.evaluators.sts import cosine, spearman
from dalr_bench_plugins.mteb_tasks.local import digest, files_of, rows_of


class Rows:
    """A model of its own for each seed: rows drawn per sentence; counts what it encoded."""

    spaces: Mapping[str, Any] = {}

    def __init__(self, seed: int) -> None:
        self.seed, self.asked = seed, 0
        self.fingerprint = f"weights-{seed}"
        self.protocol = {"model": "local", "pooling": "mean"}

    def encode(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
        self.asked += len(sentences)
        words = [sum(map(ord, text)) * 7 + self.seed for text in sentences]
        return np.array([np.random.default_rng(word).normal(size=16) for word in words], np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "raw"
    folder.mkdir(parents=True)
    rows = [{"sentence1": f"left {i}", "sentence2": f"right {i * i}", "score": float(i % 6)} for i in range(40)]
    (folder / "STS12.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "data"


def score(root: Path, subject: Rows, results: Path, **more: Any) -> Any:
    result = Mteb(["STS12"], root=str(root), results=str(results), **more).evaluate(subject)
    assert len(result.scores) == 1
    return result.scores[0]


def by_hand(root: Path, subject: Rows) -> float:
    rows = rows_of([root / "raw" / "STS12.jsonl"])
    left, right = (subject.encode([row[side] for row in rows]) for side in ("sentence1", "sentence2"))
    return spearman(cosine(left, right), np.array([row["score"] for row in rows]))


def test_two_local_models_never_share_a_score(root: Path, tmp_path: Path) -> None:
    """The trap: mteb knows local models by no name, and would serve the first one's cached result to the second."""
    found = [score(root, Rows(seed), tmp_path / "results") for seed in (1, 2)]
    for seed, one in zip((1, 2), found, strict=True):
        assert one.value == pytest.approx(by_hand(root, Rows(seed)), abs=1e-5)
    assert found[0].value != found[1].value
    assert (found[0].task, found[0].metric, found[0].split, found[0].n) == ("mteb/STS12", "cosine_spearman", "test", 40)
    kept = list((tmp_path / "results").rglob("STS12.json"))
    assert len(kept) == 2
    assert {"weights-1", "weights-2"} <= {part for path in kept for part in path.parts}


def test_a_finished_task_is_not_run_again_unless_its_data_changed(root: Path, tmp_path: Path) -> None:
    first = score(root, Rows(1), tmp_path / "results")
    again = Rows(1)
    assert score(root, again, tmp_path / "results") == first
    assert again.asked == 0
    path = root / "raw" / "STS12.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:30]))
    changed = score(root, again, tmp_path / "results")
    assert again.asked == 60
    assert changed.value == pytest.approx(by_hand(root, Rows(1)), abs=1e-5)
    assert changed.protocol != first.protocol


def test_settings_of_an_ablation_have_results_of_their_own(root: Path, tmp_path: Path) -> None:
    for weight in ("0.1", "0.2"):
        score(root, Rows(1), tmp_path / "results", experiment={"weight": weight})
    assert len(list((tmp_path / "results").rglob("STS12.json"))) == 2


def test_an_unknown_task_and_absent_data_are_faults(root: Path, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="mteb: "):
        Mteb(["STS99"])
    with pytest.raises(DataError, match="holds no STS13 test"):
        Mteb(["STS13"], root=str(root), results=str(tmp_path)).evaluate(Rows(1))


def test_files_by_split_and_their_digest(tmp_path: Path) -> None:
    (tmp_path / "Task").mkdir()
    (tmp_path / "Task" / "test.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "Task.train.jsonl").write_text('{"a": 2}\n')
    files = files_of(tmp_path, "Task", ["test", "train"])
    assert {split: [path.name for path in paths] for split, paths in files.items()} == {
        "test": ["test.jsonl"],
        "train": ["Task.train.jsonl"],
    }
    before = digest(files)
    (tmp_path / "Task" / "test.jsonl").write_text('{"a": 1}\n[]\n')
    assert digest(files) != before
    with pytest.raises(DataError, match=r"test\.jsonl:2: expected an object"):
        rows_of(files["test"])


def test_sick_of_the_hub_is_three_files(shared: Path) -> None:
    files = files_of(shared / "data" / "mteb", "SICK-R", ["test"])
    assert len(rows_of(files["test"])) == 4500 + 500 + 4927


def test_mteb_and_sts_agree_on_the_same_strings(shared: Path, tmp_path: Path) -> None:
    """The strings `sts` reads, handed to mteb as local files: the same number from both."""
    from dalr_bench_plugins.evaluators.sts import Sts

    evaluator, subject = Sts(sets=["STS13", "STS16"], data=shared / "data"), Rows(3)
    for found in evaluator.sets:
        pairs = [pair for part in found.subsets for pair in zip(part.left, part.right, part.gold.tolist(), strict=True)]
        rows = [dict(zip(("sentence1", "sentence2", "score"), pair, strict=True)) for pair in pairs]
        (tmp_path / f"{found.task}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    library = Mteb(["STS13", "STS16"], root=str(tmp_path), results=str(tmp_path / "results")).evaluate(subject)
    ours = {item.task: item.value for item in evaluator.evaluate(subject).scores}
    assert [(item.task, item.n) for item in library.scores] == [("mteb/STS13", 1500), ("mteb/STS16", 1186)]
    for item in library.scores:
        assert abs(item.value - ours[item.task.removeprefix("mteb/")]) < 1e-5


@pytest.mark.slow
def test_raw_strings_move_the_scores_by_hundredths_only(shared: Path, tmp_path: Path) -> None:
    """mteb reads the sets untokenised. MiniLM: 0.011 (x100) apart on STS14, less on STS12 and STS13."""
    from minilm import MiniLM

    from dalr_bench.evaluate.encoder import OnePass
    from dalr_bench_plugins.evaluators.sts import Sts

    subject = OnePass(MiniLM())
    names = {f"STS{year}": f"STS{year}" for year in range(12, 17)} | {"STSBenchmark": "STS-B"}
    library = Mteb(list(names), root=str(shared / "data" / "mteb"), results=str(tmp_path)).evaluate(subject)
    ours = {item.task: item.value for item in Sts(data=shared / "data").evaluate(subject).scores}
    for item in library.scores:
        assert abs(item.value - ours[names[item.task.removeprefix("mteb/")]]) < 2e-4, item
    assert len(library.scores) == 6
    (sick,) = Mteb(["SICK-R"], root=str(shared / "data" / "mteb"), results=str(tmp_path)).evaluate(subject).scores
    assert f"{100 * sick.value:.2f}" == "77.58"
    assert f"{100 * ours['SICK-R']:.2f}" == "77.15"
