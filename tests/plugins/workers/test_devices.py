"""Which runs may share a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalr_bench import Task
from dalr_bench_plugins.workers import devices
from dalr_bench_plugins.workers.devices import CONTEXT_BYTES, SLACK, Device, Memory, host_memory

GB = 1 << 30


def task(name: str, shape: str = "s", memory: int | None = None) -> Task:
    return Task(name, name, shape=shape, memory=memory)


def test_a_shape_nobody_measured_has_a_gpu_for_itself() -> None:
    gpu, memory = Device("0", 80 * GB, places=4), Memory()
    assert gpu.fits(task("a"), memory.of(task("a")))
    gpu.running["a"] = None
    assert not gpu.fits(task("b", memory=GB), GB)
    assert not gpu.fits(task("c"), None)


def test_measured_runs_share_a_gpu_up_to_its_memory_and_its_places() -> None:
    need = int(SLACK * GB) + CONTEXT_BYTES
    gpu = Device("0", 3 * need, places=8)
    for name in "abc":
        assert gpu.fits(task(name), GB)
        gpu.running[name] = GB
    assert not gpu.fits(task("d"), GB)
    assert not Device("0", 99 * need, places=1, running={"a": GB}).fits(task("b"), GB)


def test_the_host_takes_runs_not_measured_yet_but_not_more_than_it_holds() -> None:
    host = Device(None, 10 * GB, places=3, running={"a": 8 * GB})
    assert host.fits(task("b"), None)
    assert host.fits(task("b"), 2 * GB)
    assert not host.fits(task("b"), 3 * GB)
    assert Device(None, GB, places=3).fits(task("b"), 3 * GB)  # alone it may try


def test_what_a_first_run_took_is_known_of_its_shape() -> None:
    memory = Memory()
    memory.learn(task("a"), 5 * GB)
    memory.learn(task("b"), 4 * GB)
    assert memory.of(task("c")) == 5 * GB
    assert memory.of(task("c", memory=6 * GB)) == 6 * GB
    assert memory.of(task("d", shape="other")) is None
    memory.learn(task("e", shape=""), 9 * GB)
    assert memory.of(task("f", shape="")) is None


def test_a_container_is_smaller_than_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = host_memory()
    assert whole is None or whole > 0
    monkeypatch.setattr(devices, "_left_in_container", lambda: 5)
    assert host_memory() == 5
