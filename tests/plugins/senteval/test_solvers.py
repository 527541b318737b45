"""Every solver against fits done one after another with torch's own layer, loss and optimiser."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import serial_reference as serial
import torch

from dalr_bench_plugins.senteval import native, portable, shared
from dalr_bench_plugins.senteval import serial as one_after_another
from dalr_bench_plugins.senteval.recipe import MODES, Examples, Fit, Recipe, Solution, hold_out, orders, start

SOLVERS = {"native": native.solve, "portable": portable.solve, "serial": one_after_another.solve}
Solve = Callable[[Examples, Sequence[Fit], Recipe], list[Solution]]


@pytest.fixture(autouse=True)
def compiler(request: pytest.FixtureRequest) -> None:
    if "native" in request.node.name and native.library() is None:
        pytest.skip("no C compiler on this machine")


def cloud(rows: int = 260, width: int = 21, classes: int = 3, seed: int = 0) -> Examples:
    """Overlapping clouds, one a class; the width is no multiple of a vector register."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, classes, rows).astype(np.int32)
    centre = generator.normal(size=(classes, width)) * 0.4
    return Examples((centre[label] + generator.normal(size=(rows, width))).astype(np.float32), label)


def two_fits(data: Examples, penalties: Sequence[float]) -> list[Fit]:
    places = np.random.default_rng(1).permutation(len(data.label_N)).astype(np.int32)
    return [Fit(places[:200], places[200:], penalties), Fit(places[60:], places[:60], penalties)]


def one_by_one(data: Examples, fit: Fit, mode: str, penalty: float) -> tuple[float, np.ndarray, np.ndarray]:
    x, y = data.rows_ND, data.label_N.astype(np.int64)
    classifier = serial.Classifier(x.shape[1], data.classes, penalty, serial.SETTINGS[mode])
    best = classifier.fit(x[fit.train], y[fit.train], (x[fit.dev], y[fit.dev]))
    return best, classifier.layer.weight.detach().numpy(), classifier.layer.bias.detach().numpy()


@pytest.mark.parametrize("mode", ["test", "fast"])
@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("name", list(SOLVERS))
def test_a_fit_is_the_one_done_alone(name: str, classes: int, mode: str) -> None:
    data = cloud(classes=classes)
    penalties = [1e-5, 1e-3, 1e-2]
    fits = two_fits(data, penalties)
    compared = 0
    for fit, solution in zip(fits, SOLVERS[name](data, fits, MODES[mode]), strict=True):
        for k, penalty in enumerate(penalties):
            best, weight, bias = one_by_one(data, fit, mode, penalty)
            assert solution.accuracy[k] == best
            np.testing.assert_allclose(solution.weight_KCD[k], weight, atol=2e-4)
            np.testing.assert_allclose(solution.bias_KC[k], bias, atol=2e-4)
            compared += 1
    assert compared == 6


@pytest.mark.parametrize("name", list(SOLVERS))
def test_a_final_fit_holds_out_as_the_toolkit_does(name: str) -> None:
    data = cloud(seed=3)
    recipe = MODES["test"]
    train, dev = hold_out(260, recipe)
    fit = Fit(train, dev, (1e-4,), drawn=260)
    classifier = serial.Classifier(21, 3, 1e-4, serial.SETTINGS["test"])
    best = classifier.fit(data.rows_ND, data.label_N.astype(np.int64))
    (solution,) = SOLVERS[name](data, [fit], recipe)
    assert solution.accuracy.tolist() == [best]
    np.testing.assert_allclose(solution.weight_KCD[0], classifier.layer.weight.detach().numpy(), atol=2e-4)


@pytest.mark.parametrize("name", list(SOLVERS))
def test_fits_do_not_see_one_another_or_the_number_of_threads(name: str) -> None:
    data = cloud()
    fits = two_fits(data, (1e-5, 1e-4))
    together = SOLVERS[name](data, fits, MODES["fast"])
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        apart = [SOLVERS[name](data, [fit], MODES["fast"])[0] for fit in reversed(fits)][::-1]
    finally:
        torch.set_num_threads(threads)
    for left, right in zip(together, apart, strict=True):
        np.testing.assert_array_equal(left.accuracy, right.accuracy)
        np.testing.assert_allclose(left.weight_KCD, right.weight_KCD, atol=1e-5)


@pytest.mark.parametrize("name", list(SOLVERS))
def test_generators_are_left_alone(name: str) -> None:
    np.random.seed(0), torch.manual_seed(0)
    expected = np.random.rand(), torch.rand(1)
    np.random.seed(0), torch.manual_seed(0)
    data = cloud()
    SOLVERS[name](data, two_fits(data, (1e-4,)), MODES["fast"])
    assert np.random.rand() == expected[0]
    assert torch.equal(torch.rand(1), expected[1])


def test_orders_and_start_are_the_seeded_ones() -> None:
    recipe = MODES["fast"]
    np.random.seed(1111), torch.manual_seed(1111)
    layer = torch.nn.Linear(7, 3)
    np.random.permutation(12)
    expected = [np.random.permutation(10) for _ in range(5)]
    found = orders(10, 12, recipe)
    assert found.shape == (202, 10)
    np.testing.assert_array_equal(found[:5], expected)
    weight, bias = start(7, 3, 1111)
    np.testing.assert_array_equal(weight, layer.weight.detach().numpy())
    np.testing.assert_array_equal(bias, layer.bias.detach().numpy())
    assert MODES["test"].passes == 204


def test_shared_minibatches_reach_nearly_the_same_accuracy() -> None:
    data = cloud(rows=600, seed=5)
    fits = two_fits(data, (1e-5, 1e-2))
    exact = portable.solve(data, fits, MODES["test"])
    quick = shared.Shared(portable.solve)(data, fits, MODES["test"])
    for left, right in zip(exact, quick, strict=True):
        assert right.weight_KCD.shape == left.weight_KCD.shape
        np.testing.assert_allclose(left.accuracy, right.accuracy, atol=0.04)
        reached = [
            ((data.rows_ND @ right.weight_KCD[k].T + right.bias_KC[k]).argmax(1) == data.label_N).mean()
            for k in range(2)
        ]
        assert min(reached) > 0.55
    alone = shared.Shared(portable.solve)(data, fits[:1], MODES["test"])
    np.testing.assert_array_equal(alone[0].accuracy, exact[0].accuracy)


def test_without_a_compiler_there_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    native.library.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    try:
        assert native.library() is None
    finally:
        native.library.cache_clear()


def test_a_compiler_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    native.library.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: str(broken))
    try:
        assert native.library() is None
    finally:
        native.library.cache_clear()
    assert not list(tmp_path.rglob("fit.so"))


def test_native_is_compiled_once(tmp_path: Path) -> None:
    if native.library() is None:
        pytest.skip("no C compiler on this machine")
    native.library.cache_clear()
    first = native.library()
    native.library.cache_clear()
    second = native.library()
    assert isinstance(first, ctypes.CDLL)
    assert first._name == second._name  # type: ignore[union-attr]
    native.library.cache_clear()
