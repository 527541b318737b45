"""The order of batches: pure, complete, resumable; mixing as the authors' script does it."""

from __future__ import annotations

import numpy as np
import pytest

from dalr_bench.config import TrainOptions
from dalr_bench.data.schedule import Schedule
from dalr_bench.errors import SuiteError


def schedule(sizes: dict[str, int], seed: int = 0, **options: object) -> Schedule:
    return Schedule(sizes, TrainOptions.model_validate({"steps": 100, "batch": 4, **options}), seed)


def test_an_epoch_sees_every_row_once() -> None:
    plan = schedule({"text": 13})
    per_epoch = plan.batches("text")
    assert per_epoch == 3  # 4 + 4 + 4; the thirteenth row alone is left out of this epoch
    plan = schedule({"text": 14})
    rows = np.concatenate([plan.at(step)[1] for step in range(plan.batches("text"))])
    assert sorted(rows) == list(range(14))


def test_epochs_and_seeds_have_their_own_order() -> None:
    plan = schedule({"text": 16})
    first = np.concatenate([plan.at(step)[1] for step in range(4)])
    second = np.concatenate([plan.at(step)[1] for step in range(4, 8)])
    assert sorted(second) == sorted(first)
    assert list(first) != list(second)
    other = schedule({"text": 16}, seed=1)
    assert list(np.concatenate([other.at(step)[1] for step in range(4)])) != list(first)


def test_streams_have_their_own_order_however_their_names_begin() -> None:
    plan = schedule({"captions of flickr": 64, "captions of coco": 64}, mix="every", every=2, batch=64)
    (one, rows), (other, more) = plan.at(0), plan.at(1)
    assert {one, other} == {"captions of flickr", "captions of coco"}
    assert list(rows) != list(more)
    # Short names go on as before: orders of kept results can be drawn again.
    pairs = np.random.Generator(np.random.Philox(key=[5, int.from_bytes(b"pairs", "little")])).permutation(16)
    assert list(schedule({"pairs": 16}, seed=5, batch=16).at(0)[1]) == list(pairs)


def test_any_step_can_be_asked_alone() -> None:
    walked = schedule({"text": 50, "pairs": 20}, seed=3)
    order = [walked.at(step) for step in range(60)]
    for step in (59, 0, 31, 7, 7, 42):
        name, rows = schedule({"text": 50, "pairs": 20}, seed=3).at(step)
        assert name == order[step][0]
        assert list(rows) == list(order[step][1])


def test_interleaving_is_the_authors_rule() -> None:
    # 40 text batches and 10 pair batches: k = 4, every fourth step (0, 4, 8, ...) is paired.
    plan = schedule({"text": 160, "pairs": 40})
    names = [plan.at(step)[0] for step in range(20)]
    assert names == ["pairs", "text", "text", "text"] * 5
    text = np.concatenate([plan.at(step)[1] for step in range(20) if plan.at(step)[0] == "text"])
    assert len(set(text)) == 60  # no text batch is skipped or repeated by the mixing


@pytest.mark.parametrize(("size", "captions", "every", "steps"), [(29_783, 1, 33, 16_091), (29_783, 5, 6, 17_952)])
def test_published_settings_give_their_published_steps(size: int, captions: int, every: int, steps: int) -> None:
    # methods.md 1.2: MCSE and KDMCSE on Flickr30k, batch 64, one million Wikipedia sentences.
    options = TrainOptions(epochs=1, batch=64)
    plan = Schedule({"text": 1_000_000, "pairs": size * captions}, options, 0)
    assert plan._every() == every
    assert plan.steps == steps


@pytest.mark.parametrize("pairs", [24, 40, 400])
def test_a_stream_that_would_never_come_up_is_told(pairs: int) -> None:
    """k = 1 takes every step for the second stream, as it does in the authors' script; k = 0 stops that script."""
    with pytest.raises(SuiteError, match=r"'text' has 10 batches and 'pairs' \d+, so every step would be of 'pairs'"):
        schedule({"text": 40, "pairs": pairs})
    assert {schedule({"text": 40, "pairs": 20}).at(step)[0] for step in range(4)} == {"text", "pairs"}
    assert schedule({"text": 40, "pairs": pairs}, steps=0).steps == 0  # a floor row is never trained
    named = {schedule({"text": 40, "pairs": pairs}, mix="every", every=3).at(step)[0] for step in range(4)}
    assert named == {"text", "pairs"}


def test_ratio_holds_at_every_prefix() -> None:
    plan = schedule({"text": 1000, "pairs": 1000}, mix="ratio", ratio=0.3)
    for length in range(1, 200):
        paired = sum(plan.at(step)[0] == "pairs" for step in range(length))
        assert abs(paired - 0.3 * length) < 1


def test_every_k() -> None:
    plan = schedule({"text": 1000, "pairs": 8}, mix="every", every=5)
    assert [step for step in range(21) if plan.at(step)[0] == "pairs"] == [0, 5, 10, 15, 20]


def test_too_few_rows_and_too_many_streams_are_told() -> None:
    with pytest.raises(SuiteError, match="too few"):
        schedule({"text": 3}, last_batch="drop")
    with pytest.raises(SuiteError, match="at most two"):
        schedule({"a": 9, "b": 9, "c": 9})
