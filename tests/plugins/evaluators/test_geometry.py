"""Each measure where its value is known, and in loops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dalr_bench import DataError
from dalr_bench_plugins.evaluators.geometry import (
    Geometry,
    alignment,
    effective_rank,
    hubness,
    isotropy,
    uniformity,
    unit,
)


class Rows:
    spaces: Mapping[str, Any] = {}
    protocol: Mapping[str, Any] = {"pooling": "mean"}
    fingerprint = "rows"

    def __init__(self, width: int = 32) -> None:
        self.generator, self.known, self.width = np.random.default_rng(0), {}, width

    def encode(self, sentences: Sequence[str]) -> np.ndarray[Any, Any]:
        draw = [self.known.setdefault(text, self.generator.normal(size=self.width)) for text in sentences]
        return np.array(draw, np.float32)


def cloud(rows: int = 40, width: int = 6) -> Any:
    return unit(np.random.default_rng(1).normal(size=(rows, width)).astype(np.float32))


def test_alignment_and_uniformity_in_loops() -> None:
    left, right = cloud(12), cloud(12)[::-1]
    expected = sum(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for x, y in zip(left, right, strict=True)) / 12
    assert alignment(left, right) == pytest.approx(expected)
    terms = [math.exp(-2 * sum((left[i] - left[j]) ** 2)) for i in range(12) for j in range(i)]
    assert uniformity(left) == pytest.approx(math.log(sum(terms) / len(terms)))
    assert uniformity(np.ones((5, 1))) == 0


def test_isotropy() -> None:
    axes = np.concatenate([np.eye(4), -np.eye(4)])
    assert isotropy(axes) == pytest.approx(1 - 4 / 28)  # of 28 pairs 4 are opposite, the rest orthogonal
    assert isotropy(np.ones((5, 1))) == 0
    assert isotropy(cloud(400, 64)) > 0.98


def test_hubness_knows_a_hub() -> None:
    ring = np.array([[math.cos(2 * math.pi * i / 12), math.sin(2 * math.pi * i / 12)] for i in range(12)])
    assert hubness(ring, 2) == 0  # everybody is near two
    star = unit(np.concatenate([np.ones((1, 8)), np.eye(8)]).astype(np.float32))
    times = [8.0, *[0.0] * 8]
    times[1 + int(np.argmax([0] * 8))] += 1  # the hub's own nearest is one of its equals
    mean, spread = np.mean(times), np.std(times)
    assert hubness(star, 1) == pytest.approx(np.mean([((value - mean) / spread) ** 3 for value in times]))
    assert hubness(star, 1) > 2


def test_effective_rank_counts_directions() -> None:
    assert effective_rank(np.concatenate([np.eye(5), -np.eye(5)])) == pytest.approx(5)
    assert effective_rank(np.array([[1.0, 0], [-1, 0], [1, 0]])) == pytest.approx(1)
    assert effective_rank(np.ones((6, 3))) == 0


def tree(folder: Path) -> str:
    target = folder / "downstream" / "STS" / "STSBenchmark"
    target.mkdir(parents=True)
    lines = [f"g\tf\ty\t{i}\t{gold}\ta{i}\tb{i}\n" for i, gold in enumerate((4.0, 4.2, 5.0, 1.0))]
    (target / "sts-dev.csv").write_text("".join(lines))
    return str(folder)


def test_the_threshold_is_stated_and_decides_which_pairs_align(tmp_path: Path) -> None:
    root, subject = tree(tmp_path), Rows()
    found = {}
    for strictly, sign, count in ((True, ">", 2), (False, ">=", 3)):
        evaluator = Geometry(strictly=strictly, sizes="any", root=root)
        first = evaluator.evaluate(subject).scores[0]
        pairs = [1, 2] if strictly else [0, 1, 2]
        left, right = (unit(subject.encode([f"{side}{i}" for i in pairs])) for side in "ab")
        assert (first.metric, first.n, first.split) == ("alignment", count, "dev")
        assert first.value == pytest.approx(alignment(left, right))
        assert f"same=gold {sign} 4;" in first.protocol
        found[sign] = first.value
    assert found[">"] != found[">="]
    with pytest.raises(DataError, match="no pair of STS-B dev has gold > 5"):
        Geometry(threshold=5.0, sizes="any", root=root)
    (tmp_path / "other" / "downstream").mkdir(parents=True)
    with pytest.raises(DataError, match="needs STS-B"):
        Geometry(root=str(tmp_path / "other"))


def test_random_rows_on_real_sentences(shared: Path) -> None:
    scores = Geometry(data=shared / "data").evaluate(Rows()).scores
    values = {score.metric: score.value for score in scores}
    assert [score.metric for score in scores] == ["alignment", "uniformity", "isotropy", "hubness", "effective_rank"]
    assert values["alignment"] == pytest.approx(2, abs=0.1)  # independent unit rows: E |x - y|^2 = 2
    assert values["uniformity"] == pytest.approx(-4 + 16 / (2 * 32), abs=0.1)  # log E exp(4 x.y) - 4, x.y ~ N(0, 1/32)
    assert values["isotropy"] > 0.99
    assert 31 < values["effective_rank"] <= 32
