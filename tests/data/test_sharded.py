"""Feature stores in shards: one writer each, resumable after a kill, verified, paged past the device; keys that mean it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dalr_bench import Corpus, DataError
from dalr_bench.cache import cache_root
from dalr_bench.data import features, placing, tokens
from dalr_bench.data.features import Ask, FeatureStore, feature_store, store_key
from dalr_bench.data.placing import Paged
from dalr_bench.data.shards import complete, shard_file, verify
from dalr_bench.data.teachers import TeacherBank, resident
from dalr_bench.data.tokens import DeviceTokens, PagedTokens, token_store, tokens_on

CPU = torch.device("cpu")
WORDS = [f"{'x' * (1 + 7 * i % 11)}{i}" for i in range(50)]


def corpus(words: Sequence[str] = WORDS) -> Corpus:
    return Corpus(list(words), fingerprint="|".join(words))


def rows(sentences: Sequence[str]) -> torch.Tensor:
    return torch.tensor([[float(len(s)), float(s.lstrip("x"))] for s in sentences])


def states(sentences: Sequence[str]) -> list[torch.Tensor]:
    return [torch.full((1 + len(s) % 3, 2), float(s.lstrip("x"))) for s in sentences]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "SHARD", {"text": 8, "image": 8, "states": 8})
    monkeypatch.setattr(features, "_CHUNK", 5)


def folder_of(ask: Ask) -> Path:
    return cache_root() / "features" / store_key(ask, corpus())


@pytest.mark.usefixtures("small")
def test_rows_keep_their_order_over_shards_and_batches_run_from_long_to_short() -> None:
    asked: list[list[str]] = []

    def encode(sentences: list[str]) -> torch.Tensor:
        asked.append(sentences)
        return rows(sentences)

    seen: list[tuple[int, int]] = []
    store = feature_store(Ask("text", "t", encode), corpus(), lambda done, total: seen.append((done, total)))
    assert [len(part) for part in store.rows.parts] == [8] * 6 + [2]
    assert np.array_equal(store.rows.whole(), rows(WORDS).numpy())
    order = np.array([49, 0, 7, 8, 31, 8])
    assert np.array_equal(store.rows.take(order), rows(WORDS).numpy()[order])
    assert seen == [(8 * k, 50) for k in range(1, 7)] + [(50, 50)]
    lengths = [[len(s) for s in chunk] for chunk in asked]
    assert all(chunk == sorted(chunk, reverse=True) for chunk in lengths)
    assert all(min(a) >= max(b) for a, b in zip(lengths[0:-1:2], lengths[1::2], strict=False))


@pytest.mark.usefixtures("small")
def test_token_states_over_shards_are_cut_at_their_sentences() -> None:
    store = feature_store(Ask("states", "s", states), corpus())
    assert store.offsets is not None
    for number in (0, 7, 8, 23, 49):
        found = store.rows.take(np.arange(store.offsets[number], store.offsets[number + 1]))
        assert np.array_equal(found, states([WORDS[number]])[0].numpy())


@pytest.mark.usefixtures("small")
def test_what_does_not_fit_is_paged_and_the_batch_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    stores: dict[Any, FeatureStore] = {
        "text": feature_store(Ask("text", "t", rows), corpus()),
        "states": feature_store(Ask("states", "s", states), corpus()),
    }
    near = TeacherBank({"t": resident(stores, CPU)}, {})
    monkeypatch.setattr(placing, "HOST_BYTES", 10)
    far = TeacherBank({"t": resident(stores, CPU)}, {})
    assert isinstance(far.stored["t"].text, Paged)
    assert isinstance(far.stored["t"].states, Paged)
    rows_N = torch.tensor([49, 3, 8, 3])
    for host in (None, (rows_N.numpy(), None)):
        one, other = near.gather(rows_N, None, host)["t"], far.gather(rows_N, None, host)["t"]
        for name in ("text_NT", "states_NLT", "states_mask_NL"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.usefixtures("small")
def test_half_precision_takes_half_the_room_and_gives_float32() -> None:
    full = feature_store(Ask("text", "t", lambda s: rows(s) / 7), corpus())
    half = feature_store(Ask("text", "t", lambda s: rows(s) / 7, rows="fp16"), corpus())
    assert half.rows.nbytes * 2 == full.rows.nbytes
    found = TeacherBank({"t": resident({"text": half}, CPU)}, {}).gather(torch.tensor([5, 1]), None)["t"].text_NT
    assert found is not None
    assert found.dtype == torch.float32
    assert torch.allclose(found, rows([WORDS[5], WORDS[1]]) / 7, rtol=1e-3)
    assert not torch.equal(found, rows([WORDS[5], WORDS[1]]) / 7)
    with pytest.raises(DataError, match="not finite in fp16"):
        feature_store(Ask("text", "large", lambda s: rows(s) + 1e5, rows="fp16"), corpus())


@pytest.mark.usefixtures("small")
def test_a_shard_that_changed_is_found_and_one_that_was_cut_is_built_again() -> None:
    ask = Ask("text", "t", rows)
    feature_store(ask, corpus())
    folder = folder_of(ask)
    assert verify(folder) == sum(path.stat().st_size for path in folder.glob("*.npy"))
    path = shard_file(folder, 2)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"shard-00002\.npy: is not what was written"):
        verify(folder)
    path.write_bytes(content[:-8])
    assert complete(folder) is None
    again: list[str] = []

    def encode(sentences: list[str]) -> torch.Tensor:
        again.extend(sentences)
        return rows(sentences)

    assert np.array_equal(feature_store(Ask("text", "t", encode), corpus()).rows.whole(), rows(WORDS).numpy())
    assert sorted(again) == sorted(WORDS[16:24])
    verify(folder)


@pytest.mark.usefixtures("small")
def test_a_fault_on_the_way_leaves_the_finished_shards_and_no_lock() -> None:
    def broken(sentences: list[str]) -> torch.Tensor:
        if WORDS[20] in sentences:
            raise RuntimeError("out of memory")
        return rows(sentences)

    with pytest.raises(RuntimeError, match="out of memory"):
        feature_store(Ask("text", "t", broken), corpus())
    folder = folder_of(Ask("text", "t", rows))
    assert complete(folder) is None
    assert len(list(folder.glob("*.npy"))) == 2
    assert np.array_equal(feature_store(Ask("text", "t", rows), corpus()).rows.whole(), rows(WORDS).numpy())
    assert not list(folder.glob("*.lock")) + list(folder.glob("*.part"))


@pytest.mark.usefixtures("small")
def test_several_devices_share_the_shards() -> None:
    by: dict[str, list[str]] = {"first": [], "second": []}

    def encoder(name: str) -> Callable[[list[str]], torch.Tensor]:
        def encode(sentences: list[str]) -> torch.Tensor:
            by[name] += sentences
            time.sleep(0.01)
            return rows(sentences)

        return encode

    store = feature_store(Ask("text", "t", encoder("first"), more=[encoder("second")]), corpus())
    assert np.array_equal(store.rows.whole(), rows(WORDS).numpy())
    assert sorted(by["first"] + by["second"]) == sorted(WORDS)
    assert min(len(each) for each in by.values()) >= 8


def _build(cache: str, log: str, size: int, pause: float) -> None:
    os.environ["DALR_BENCH_CACHE"] = cache
    features.SHARD["text"] = size

    def encode(sentences: list[str]) -> torch.Tensor:
        with Path(log).open("a") as out:
            out.write("".join(f"{os.getpid()} {s}\n" for s in sentences))
        time.sleep(pause)
        return rows(sentences)

    assert np.array_equal(feature_store(Ask("text", "t", encode), corpus()).rows.whole(), rows(WORDS).numpy())


@pytest.mark.parametrize("size", [50, 8])
def test_two_processes_ask_for_every_sentence_once(tmp_path: Path, size: int) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    given = (str(cache_root()), str(log), size, 0.1)
    processes = [context.Process(target=_build, args=given) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    asked = [line.split() for line in log.read_text().splitlines()]
    assert sorted(sentence for _, sentence in asked) == sorted(WORDS)
    if size == 50:
        assert len({pid for pid, _ in asked}) == 1  # one built, the other waited


def test_a_build_that_is_killed_goes_on_from_its_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    process = multiprocessing.get_context("spawn").Process(target=_build, args=(str(cache_root()), str(log), 8, 0.3))
    process.start()
    folder = folder_of(Ask("text", "t", rows))
    while len(list(folder.glob("shard-*.json"))) < 2:
        assert process.is_alive()
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    finished = len(list(folder.glob("shard-*.json")))
    assert 2 <= finished < 7
    log.unlink()
    monkeypatch.setenv("DALR_BENCH_CACHE", str(cache_root()))
    monkeypatch.setattr(features, "SHARD", {**features.SHARD, "text": 8})
    _build(str(cache_root()), str(log), 8, 0)
    asked = [line.split()[1] for line in log.read_text().splitlines()]
    assert sorted(asked) == sorted(WORDS[8 * finished :])
    assert json.loads((folder / "meta.json").read_text())["rows"] == 50


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_builders_that_are_killed_and_two_that_go_on_leave_the_bytes_of_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log, folder = tmp_path / "log", folder_of(Ask("text", "t", rows))

    def started(pause: float) -> list[Any]:
        found = [context.Process(target=_build, args=(str(cache_root()), str(log), 8, pause)) for _ in range(2)]
        for process in found:
            process.start()
        return found

    first = started(0.4)
    while len(list(folder.glob("shard-*.json"))) < 2:
        assert all(process.is_alive() for process in first)
        time.sleep(0.01)
    for process in first:
        process.kill()
        process.join()
    finished = {path.stem for path in folder.glob("shard-*.json")}
    assert 2 <= len(finished) < 7
    before = {name: (folder / f"{name}.npy").stat().st_mtime_ns for name in finished}
    log.unlink()
    for process in started(0.05):
        process.join()
        assert process.exitcode == 0
    asked = [line.split()[1] for line in log.read_text().splitlines()]
    missing = [number for number in range(7) if f"shard-{number:05}" not in finished]
    assert sorted(asked) == sorted(word for number in missing for word in WORDS[8 * number : 8 * number + 8])
    assert {name: (folder / f"{name}.npy").stat().st_mtime_ns for name in finished} == before
    together = _content(folder)
    alone = context.Process(target=_build, args=(str(tmp_path / "alone"), str(log), 8, 0))
    alone.start()
    alone.join()
    assert _content(tmp_path / "alone" / folder.relative_to(cache_root())) == together
    assert len(together) == 15  # seven shards with their notes, and what says that the table is whole


def test_every_part_of_a_key_counts() -> None:
    base = {"ask": Ask("text", "teacher", rows), "corpus": corpus()}
    keys = [
        store_key(base["ask"], base["corpus"]),  # type: ignore[arg-type]
        store_key(Ask("states", "teacher", rows), corpus()),
        store_key(Ask("text", "other", rows), corpus()),
        store_key(Ask("text", "teacher", rows, rows="fp16"), corpus()),
        store_key(Ask("text", "teacher", rows), corpus(WORDS[:-1])),
    ]
    assert len(set(keys)) == len(keys)
    assert (
        store_key(Ask("text", "teacher", rows, more=[rows]), corpus()) == keys[0]
    )  # how it is built is not what it is


class Numbers:
    """A tokenizer of a given size whose ids reach the top of its vocabulary."""

    pad_id, mask_id, special_ids = 0, None, frozenset({0})

    def __init__(self, size: int) -> None:
        self.size, self.fingerprint = size, f"numbers {size}"

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        return [[self.size - 1 - place for place in range(len(s))] for s in sentences]


@pytest.mark.parametrize(("size", "width"), [(30522, 2), (65536, 2), (65537, 4), (250002, 4)])
def test_ids_take_two_bytes_where_the_vocabulary_fits(size: int, width: int) -> None:
    store = token_store(Numbers(size), corpus())
    assert store.ids.dtype.itemsize == width
    batch_rows = np.array([7, 0, 49])
    for kind in (DeviceTokens, PagedTokens):
        batch = kind(store, CPU).batch(batch_rows, torch.from_numpy(batch_rows))
        assert batch.ids_NL.dtype == torch.long
        for place, number in enumerate(batch_rows):
            length = len(WORDS[number])
            want = [size - 1 - at for at in range(length)]
            assert batch.ids_NL[place].tolist() == want + [0] * (batch.ids_NL.shape[1] - length)
            assert batch.mask_NL[place].sum() == length


def test_tokens_past_the_stated_size_stay_in_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    store = token_store(Numbers(100), corpus())
    assert isinstance(tokens_on(store, CPU), DeviceTokens)
    monkeypatch.setattr(tokens, "RESIDENT_BYTES", 10)
    assert isinstance(tokens_on(store, CPU), PagedTokens)


def test_a_token_store_that_was_cut_is_built_again() -> None:
    whole = np.array(token_store(Numbers(100), corpus()).ids)
    (path,) = (cache_root() / "tokens").glob("*/ids.npy")
    path.unlink()
    path.write_bytes(b"cut")
    assert np.array_equal(token_store(Numbers(100), corpus()).ids, whole)
