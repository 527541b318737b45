"""Windows of shards: every row of a pass once, the order a function of (seed, pass), any window found alone, disk given back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from dalr_bench import Corpus, DataError, Sample, Shards
from dalr_bench.cache import cache_root
from dalr_bench.caches import stored
from dalr_bench.config import TrainOptions
from dalr_bench.data.schedule import Schedule
from dalr_bench.data.tokens import TokenStore, token_store
from dalr_bench.data.windows import Window, Windows
from dalr_bench.errors import SuiteError

SIZES = [5, 1, 7, 3, 4, 6]
ROWS = sum(SIZES)


class Words:
    """One id a word, the first letter's number."""

    pad_id, mask_id, special_ids, size, fingerprint = 0, None, frozenset({0}), 128, "words"

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        return [[ord(word[0]) for word in sentence.split()] for sentence in sentences]


def tokens(corpus: Corpus) -> list[TokenStore]:
    return [token_store(Words(), corpus)]


class Reads:
    """Shards of sentences `shard/record`, and which of them were opened."""

    def __init__(self, sizes: Sequence[int] = SIZES, captions: int = 1) -> None:
        self.sizes, self.captions, self.opened = list(sizes), captions, list[int]()

    def __call__(self, number: int) -> Iterator[Sample]:
        self.opened.append(number)
        for record in range(self.sizes[number]):
            yield Sample([f"{number}/{record}/{each}" for each in range(self.captions)])

    def shards(self, window: int, rows: int | None = None, mark: str = "") -> Shards:
        names = [f"{number}.tar" for number in range(len(self.sizes))]
        return Shards(
            names, [f"{mark}{name}:{size}" for name, size in zip(names, self.sizes, strict=True)], self, window, rows
        )


def windows(reads: Reads, window: int, seed: int = 0, rows: int | None = None) -> Windows:
    return Windows(reads.shards(window, rows), seed, "text", tokens)


def sentences(found: Window) -> list[str]:
    return list(found.corpus.sentences)


def walk(made: Windows, epoch: int) -> list[list[str]]:
    """One pass from front to end."""
    out, number = [], 0
    while True:
        found = made.take(epoch, number)
        out.append(sentences(found))
        found.drop()
        if found.last:
            return out
        number += 1


EVERY = [f"{shard}/{record}/0" for shard, size in enumerate(SIZES) for record in range(size)]


@pytest.mark.parametrize("window", [2, 4, 7, 13, ROWS - 1, ROWS, ROWS + 1, 1000])
def test_a_pass_sees_every_row_once_and_only_its_last_window_is_short(window: int) -> None:
    passes = [walk(windows(Reads(), window), epoch) for epoch in (0, 1)]
    for found in passes:
        assert sorted(row for rows in found for row in rows) == sorted(EVERY)
        assert [len(rows) for rows in found[:-1]] == [window] * (len(found) - 1)
        assert 1 <= len(found[-1]) <= window
    if window < ROWS - 1:
        assert passes[0] != passes[1]
    if window >= ROWS:
        assert passes[0] == passes[1] == [EVERY]  # the whole corpus, in the order of its list


def test_the_order_of_shards_is_a_function_of_seed_stream_and_pass() -> None:
    found = {
        (seed, epoch): tuple(map(tuple, walk(windows(Reads(), 4, seed), epoch))) for seed in (0, 1) for epoch in (0, 1)
    }
    assert len(set(found.values())) == 4
    assert tuple(map(tuple, walk(windows(Reads(), 4), 0))) == found[0, 0]


def test_any_window_is_found_alone_and_counted_shards_are_not_read_again() -> None:
    whole = walk(windows(Reads(), 4), 1)
    for number in (5, 0, 3):
        assert sentences(windows(Reads(), 4).take(1, number)) == whole[number]
    reads = Reads()
    made = windows(reads, 4)
    assert sentences(made.take(1, 5)) == whole[5]
    # All shards were counted by the pass above: what lies before window 5 is not opened, at most two shards are.
    assert len(reads.opened) <= 3, reads.opened
    fresh = Reads()
    uncounted = Windows(fresh.shards(4, mark="other "), 0, "text", tokens)
    assert sentences(uncounted.take(1, 5)) == whole[5]
    assert len(fresh.opened) > len(reads.opened)  # nothing was known: it had to be read


def test_the_number_of_rows_is_found_at_the_end_of_the_first_pass_and_kept() -> None:
    made = windows(Reads(), 4)
    assert made.rows() is None
    assert made.rows(4) is None
    assert made.rows(ROWS + 4) == ROWS
    assert windows(Reads(), 4).rows() == ROWS  # another run need not look


@pytest.mark.parametrize("said", [ROWS - 1, ROWS + 1, 4])
def test_a_wrong_number_of_rows_is_told(said: int) -> None:
    with pytest.raises(DataError, match=rf"0\.tar: {said} rows were said to be in the shards, which hold"):
        walk(windows(Reads(), 4, rows=said), 0)


def test_a_shard_that_changed_is_told() -> None:
    reads = Reads()
    made = windows(reads, 1000)
    made.take(0, 0).drop()
    reads.sizes[2] = 8
    with pytest.raises(DataError, match=r"2\.tar: has 8 rows now and had 7 before"):
        made.take(0, 0)


def test_what_is_prepared_ahead_is_what_would_be_read() -> None:
    plain = walk(windows(Reads(), 4), 0)
    made = windows(Reads(), 4)
    made.ahead(0, 0)
    found = [made.take(0, 0)]
    for number in range(1, len(plain)):
        made.ahead(0, number)
        found[-1].drop()
        found.append(made.take(0, number))
        assert sentences(found[-1]) == plain[number]
    made.ahead(1, 0)
    assert sentences(made.take(0, 2)) == plain[2]  # another one than was prepared
    made.ahead(0, 3)
    made.close()


def test_the_fault_of_a_window_prepared_ahead_is_raised_where_it_is_asked_for() -> None:
    class Broken(Reads):
        def __call__(self, number: int) -> Iterator[Sample]:
            yield from super().__call__(number)
            if len(self.opened) == 3:
                raise DataError("third.tar: cut")

    made = windows(Broken(), 4)

    def walked() -> None:
        for number in range(6):
            made.ahead(0, number)
            made.take(0, number).drop()

    with pytest.raises(DataError, match=r"third\.tar: cut"):
        walked()


def disk() -> int:
    place = cache_root() / "windows"
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) if place.is_dir() else 0


def test_the_disk_holds_two_windows_and_nothing_at_the_end() -> None:
    made = windows(Reads([40] * 50), 100)
    found, peak, one = made.take(0, 0), 0, 0
    one = disk()
    for number in range(1, 20):
        made.ahead(0, number)
        following = made.take(0, number)
        peak = max(peak, disk())
        found.drop()
        found = following
    assert one > 0
    assert peak < 2.5 * one
    found.drop()
    made.close()
    assert disk() == 0
    assert not [each for each in stored() if each.kind == "windows"]


def test_a_corpus_that_fits_into_one_window_is_an_ordinary_one_and_stays() -> None:
    made = windows(Reads(), 1000)
    made.take(0, 0).drop()
    assert made.single
    assert [each.kind for each in stored()] == ["tokens"]
    ordinary = token_store(Words(), Corpus(EVERY, "another name"))
    assert np.array_equal(made.take(0, 0).tokens[0].ids, ordinary.ids)


def test_captions_of_a_record_are_rows_of_their_own_and_may_lie_in_two_windows() -> None:
    found = walk(windows(Reads([3, 2], captions=3), 4), 0)
    assert [len(rows) for rows in found] == [4, 4, 4, 3]
    assert len({row for rows in found for row in rows}) == 15


# ------------------------------------------------------------------ the schedule
def schedule(made: Windows, **options: object) -> Schedule:
    chosen = TrainOptions.model_validate({"steps": 50, "batch": 3, **options})
    return Schedule({"text": min(made.window, made.rows() or made.window)}, chosen, 0, {"text": made})


def test_one_window_over_all_is_the_schedule_of_an_ordinary_corpus() -> None:
    made = windows(Reads(), 1000)
    ordinary = Schedule({"text": ROWS}, TrainOptions.model_validate({"steps": 50, "batch": 3}), 0)
    for step in range(40):
        name, rows = schedule(made).at(step)
        assert (name, rows.tolist()) == (ordinary.at(step)[0], ordinary.at(step)[1].tolist())


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("window", [4, 6, 9, 13])
def test_passes_of_windows_show_every_row_that_fits_a_batch(window: int, known: bool) -> None:
    made = windows(Reads(), window, rows=ROWS if known else None)
    plan = schedule(made, last_batch="keep")
    seen: dict[int, list[tuple[int, int]]] = {}
    for step in range(60):
        place = plan.place(step)
        seen.setdefault(place.epoch, []).extend((place.window, int(row)) for row in place.rows)
    whole = {epoch: rows for epoch, rows in seen.items() if epoch < max(seen)}
    assert len(whole) >= 2
    # A batch of one row is left out: nothing to contrast it with.
    lost = sum(size % 3 == 1 for size in [window] * (ROWS // window) + [ROWS % window])
    for rows in whole.values():
        assert len(rows) == len(set(rows)) == ROWS - lost
    assert [plan.place(step).rows.tolist() for step in (30, 2)] == [
        schedule(windows(Reads(), window)).place(step).rows.tolist() for step in (30, 2)
    ]


def test_what_goes_by_the_number_of_rows_says_so() -> None:
    made = windows(Reads(), 4)
    plan = Schedule({"text": 4, "more": 12}, TrainOptions.model_validate({"steps": 5, "batch": 3}), 0, {"text": made})
    with pytest.raises(SuiteError, match="stream 'text': how many rows its shards hold is not known"):
        plan.at(0)
    with pytest.raises(SuiteError, match="say rows: N at the stream"):
        _ = schedule(made, steps=None, epochs=1.0).steps
    assert schedule(windows(Reads(), 4, rows=ROWS), steps=None, epochs=1.0, last_batch="drop").steps == 6
