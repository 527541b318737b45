"""Processes meet before they share anything: whoever stays away is named after a bounded time."""

from __future__ import annotations

import threading
import time

import pytest
import torch.distributed as dist

from dalr_bench.train import meeting
from dalr_bench.train.meeting import meet, within


def test_all_who_come_go_on_whoever_is_last() -> None:
    store = dist.HashStore()
    went: list[int] = []

    def come(rank: int) -> None:
        time.sleep(0.1 * rank)
        meet(store, rank, 3, 60)
        went.append(rank)

    threads = [threading.Thread(target=come, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    assert went == []
    come(2)
    for thread in threads:
        thread.join(60)
    assert sorted(went) == [0, 1, 2]


@pytest.mark.parametrize(
    ("there", "told"), [((0, 1, 3), "process 2 of 4 did not come"), ((0, 3), "processes 1, 2 of 4 did not come")]
)
def test_who_does_not_come_is_named(there: tuple[int, ...], told: str) -> None:
    store = dist.HashStore()
    for rank in there[1:]:
        with pytest.raises(RuntimeError, match="did not come"):
            meet(store, rank, 4, 0)
    with pytest.raises(RuntimeError, match=f"{told} within 0.2 s"):
        meet(store, there[0], 4, 0.2)


def test_a_store_that_never_answers_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_SECONDS_TO_NAME", 0.1)
    said: list[str] = []
    with within(0.1, said.append):
        assert said == []
    with within(0.1, said.append):
        for _ in range(3000):
            if said:
                break
            time.sleep(0.01)
    assert said == ["the machine that holds this run together did not answer within 0.1 s: it is gone, or cut off"]
