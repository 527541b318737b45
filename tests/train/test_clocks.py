"""Bytes counted by hand; a clock that stands still for nobody."""

from __future__ import annotations

import time

import pytest
import torch

from dalr_bench.train.clocks import CudaClock, CudaGauge, HostClock, HostGauge

SQUARE = 100 * 100 * 4


def test_bytes_of_a_small_graph_are_those_counted_by_hand() -> None:
    weight = torch.ones(100, 100, requires_grad=True)
    given = torch.ones(100, 100)
    gauge = HostGauge()
    with gauge.open():
        product = given @ weight
        assert gauge.read() == (SQUARE, SQUARE)
        rectified = torch.relu(product)
        assert gauge.read() == (2 * SQUARE, 2 * SQUARE)
        seen = rectified.view(-1)[:10]  # a view is nothing new
        assert gauge.read() == (2 * SQUARE, 2 * SQUARE)
        del product, seen  # relu keeps its result, not what it was given
        assert gauge.read() == (SQUARE, 2 * SQUARE)
        total = rectified.sum()
        total.backward()
        level, peak = gauge.read()
        assert level == 2 * SQUARE + 4  # the rectified rows, the weight's gradient, the scalar
        assert peak > level
        del rectified, total
        weight.grad = None
        assert gauge.read()[0] == 0


def test_what_was_there_before_is_not_counted() -> None:
    given = torch.ones(100, 100)
    gauge = HostGauge()
    with gauge.open():
        kept = given.t(), given.view(-1), given.add_(1)
        assert gauge.read() == (0, 0)
        del kept
        assert gauge.read() == (0, 0)


def test_the_host_clock_counts_milliseconds() -> None:
    clock = HostClock()
    start = clock.now()
    time.sleep(0.03)
    assert 30 <= clock.ms(start, clock.now()) < 3000


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature:UserWarning")
def test_the_device_is_timed_and_weighed_without_waiting() -> None:
    device, clock = torch.device("cuda"), CudaClock()
    gauge = CudaGauge(device)
    square = torch.ones(2048, 2048, device=device)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        gauge.read()
        start = clock.now()
        product = square @ square
        end = clock.now()
        level, peak = gauge.read()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert clock.ms(start, end) > 0
    assert peak >= level >= product.nbytes
    assert gauge.highest >= peak
