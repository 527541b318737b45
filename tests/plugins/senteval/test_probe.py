"""The three protocols against the same done serially."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import serial_reference as serial

from dalr_bench_plugins.senteval import portable
from dalr_bench_plugins.senteval.probe import Probed, guess, probe, solver
from dalr_bench_plugins.senteval.recipe import MODES, Examples, Solution


def cloud(rows: int, classes: int, seed: int) -> Examples:
    centre = np.random.default_rng(99).normal(size=(classes, 16)) * 0.5
    generator = np.random.default_rng(seed)
    label = generator.integers(0, classes, rows).astype(np.int32)
    label[:classes] = np.arange(classes)
    return Examples((centre[label] + generator.normal(size=(rows, 16))).astype(np.float32), label)


def pair(data: Examples) -> tuple[np.ndarray, np.ndarray]:
    return data.rows_ND, data.label_N.astype(np.int64)


def percents(result: Probed) -> tuple[float, float]:
    return round(result.acc * 100, 6), round(result.devacc * 100, 6)


@pytest.mark.parametrize("name", ["exact", "portable"])
def test_nested_cross_validation(name: str) -> None:
    data = cloud(150, 2, 1)
    result = probe({"train": data}, MODES["fast"], portable.solve if name == "portable" else solver("exact"))
    assert percents(result) == serial.nested(*pair(data), "fast")
    assert len(result.predicted) == 150
    np.testing.assert_array_equal(result.gold, data.label_N)
    assert abs((result.predicted == result.gold).mean() - result.acc) < 1e-3


def test_cross_validation_with_a_test_set() -> None:
    train, test = cloud(160, 3, 1), cloud(70, 3, 2)
    result = probe({"train": train, "test": test}, MODES["fast"], solver("exact"))
    acc, devacc, predicted = serial.crossed(*pair(train), pair(test), "fast")
    assert percents(result) == (acc, devacc)
    np.testing.assert_array_equal(result.predicted, predicted)


def test_three_splits() -> None:
    train, dev, test = (cloud(size, 3, seed) for seed, size in enumerate((200, 90, 80)))
    splits: Mapping[str, Examples] = {"train": train, "dev": dev, "test": test}
    result = probe(splits, MODES["test"], solver("exact"))
    assert percents(result) == serial.three_splits(pair(train), pair(dev), pair(test), "test")


def test_batched_is_near_and_is_another_solver() -> None:
    data = cloud(300, 2, 4)
    exact, quick = (probe({"train": data}, MODES["fast"], solver(name)) for name in ("exact", "batched"))
    assert abs(exact.acc - quick.acc) < 0.06


def test_the_first_of_equal_classes_is_guessed() -> None:
    solution = Solution(np.zeros(1), np.ones((1, 3, 2), np.float32), np.zeros((1, 3), np.float32))
    assert guess(np.ones((4, 2), np.float32), solution).tolist() == [0, 0, 0, 0]
