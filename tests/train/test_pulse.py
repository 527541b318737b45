"""The pulse between machines: silence is told once and by name, whoever falls silent; suspended together, nobody has missed a look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from dalr_bench.train.pulse import Pulse, begin


class Store:
    """What torchrun's store does of it, in memory; it may stop answering, or go."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.answers = threading.Event()
        self.answers.set()
        self.gone = False

    def add(self, key: str, more: int) -> int:
        if self.gone:
            raise RuntimeError("connection reset")
        self.answers.wait()
        self.counts[key] = self.counts.get(key, 0) + more
        return self.counts[key]

    def set(self, key: str, value: str) -> None:
        self.names[key] = value

    def get(self, key: str) -> bytes:
        return self.names[key].encode()


def until(happens: Callable[[], object]) -> None:
    for _ in range(3000):
        if happens():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


@pytest.fixture
def said() -> dict[int, list[str]]:
    return {0: [], 1: [], 2: []}


def pulses(store: Store, said: dict[int, list[str]], silence: float) -> list[Pulse]:
    made = [Pulse(store, number, 3, said[number].append, silence) for number in range(3)]
    for each in made:
        store.set(f"dalr-bench/pulse/{each.number}/name", f"node-{each.number}")
    for each in made:
        each.start()
    return made


def test_whoever_falls_silent_is_told_by_all_others(said: dict[int, list[str]]) -> None:
    store = Store()
    made = pulses(store, said, 1.0)
    until(lambda: min(store.counts.get(f"dalr-bench/pulse/{n}", 0) for n in range(3)) > 5)
    assert said == {0: [], 1: [], 2: []}
    made[1].stop()
    until(lambda: said[0] and said[2])
    for number in (0, 2):
        (line,) = said[number]
        assert line.startswith("machine 1 (")
        assert "has said nothing for 1 s: it is gone, or cut off" in line
    assert said[1] == []


@pytest.mark.parametrize("gone", [False, True])
def test_a_store_that_is_silent_or_gone_is_told(said: dict[int, list[str]], gone: bool) -> None:
    store = Store()
    made = pulses(store, said, 0.6)
    until(lambda: min(store.counts.get(f"dalr-bench/pulse/{n}", 0) for n in range(3)) > 2)
    if gone:
        store.gone = True
    else:
        store.answers.clear()
    until(lambda: all(said.values()))
    # Whichever silence was noticed first: without the store nobody hears of the others either.
    assert all("has said nothing for 0.6 s" in line for lines in said.values() for line in lines)
    store.answers.set()
    for each in made:
        each.stop()


def test_a_run_that_is_over_is_silent(said: dict[int, list[str]]) -> None:
    store = Store()
    for each in pulses(store, said, 0.2):
        each.stop()
    time.sleep(0.6)
    assert said == {0: [], 1: [], 2: []}


def test_one_machine_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert begin() is None
    monkeypatch.setenv("GROUP_WORLD_SIZE", "1")
    assert begin() is None
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert begin() is None  # the first process of this machine has it
