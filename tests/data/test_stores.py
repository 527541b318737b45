"""Token and feature stores: the same rows as asking directly, asked once, whole or not at all."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dalr_bench import Corpus, DataError
from dalr_bench.cache import build_once, cache_root
from dalr_bench.data.features import Ask, feature_store
from dalr_bench.data.pixels import pixel_store, to_pixels
from dalr_bench.data.teachers import Chosen, TeacherBank, combining_order, resident
from dalr_bench.data.tokens import DeviceTokens, token_store


class Letters:
    """One id a letter: a tokenizer whose answer is known by eye."""

    pad_id, mask_id, special_ids, size, fingerprint = 0, None, frozenset({0}), 200, "letters"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        self.calls += 1
        return [[ord(letter) for letter in sentence] for sentence in sentences]


def corpus(*sentences: str, **rest: object) -> Corpus:
    return Corpus(list(sentences), fingerprint="|".join(sentences), **rest)  # type: ignore[arg-type]


def test_tokens_come_back_padded_in_the_order_asked() -> None:
    tokenizer, words = Letters(), corpus("abc", "d", "ef")
    tokens = DeviceTokens(token_store(tokenizer, words), torch.device("cpu"))
    rows = np.array([1, 0])
    batch = tokens.batch(rows, torch.from_numpy(rows))
    assert batch.ids_NL.tolist() == [[ord("d"), 0, 0], [ord("a"), ord("b"), ord("c")]]
    assert batch.mask_NL.tolist() == [[1, 0, 0], [1, 1, 1]]
    narrow = tokens.batch(np.array([2]), torch.tensor([2]))
    assert narrow.ids_NL.shape == (1, 2)
    token_store(tokenizer, words)
    assert tokenizer.calls == 1


class Capitals(Letters):
    """Another tokenizer of the same words."""

    fingerprint = "capitals"

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        return super().__call__([sentence.upper() for sentence in sentences])


def test_two_tokenizers_never_share_their_tokens() -> None:
    words = corpus("abc", "d")
    found = [token_store(tokenizer, words).ids.tolist() for tokenizer in (Letters(), Capitals(), Letters())]
    assert found == [[*map(ord, "abcd")], [*map(ord, "ABCD")], [*map(ord, "abcd")]]


def test_pictures_of_two_sizes_never_share_a_store() -> None:
    words = corpus("a", images=[Image.effect_noise((12, 12), 80)], image_of=[0])
    assert [pixel_store(words, edge).shape for edge in (8, 6, 8)] == [(1, 3, 8, 8), (1, 3, 6, 6), (1, 3, 8, 8)]


def test_an_empty_corpus_is_a_data_fault() -> None:
    with pytest.raises(DataError, match="no sentence"):
        token_store(Letters(), corpus())


def test_a_teacher_is_asked_once_and_rows_keep_their_order() -> None:
    asked: list[int] = []

    def encode(sentences: Sequence[str]) -> torch.Tensor:
        asked.append(len(sentences))
        return torch.tensor([[float(len(s)), float(ord(s[0]))] for s in sentences])

    words = corpus(*(f"{chr(97 + i % 26)}{'x' * (i % 7)}" for i in range(5000)))
    first = feature_store(Ask("text", "lengths", encode), words)
    again = feature_store(Ask("text", "lengths", encode), words)
    assert sum(asked) == 5000
    assert np.array_equal(first.rows.whole(), again.rows.whole())
    assert [tuple(row) for row in first.rows.take(np.array([0, 27, 4999]))] == [
        (float(len(s)), float(ord(s[0]))) for s in (words.sentences[i] for i in (0, 27, 4999))
    ]


@pytest.mark.parametrize("answer", [torch.zeros(1, 2), torch.zeros(2), torch.full((2, 3), float("nan"))])
def test_wrong_rows_are_refused_and_nothing_is_kept(answer: torch.Tensor) -> None:
    with pytest.raises(DataError, match="teacher gave"):
        feature_store(Ask("text", "bad", lambda sentences: answer), corpus("a", "b"))
    assert not [path for path in (cache_root() / "features").iterdir() if not path.name.endswith(".lock")]


def test_token_states_are_cut_at_their_sentences() -> None:
    words = corpus("ab", "cde")
    store = feature_store(
        Ask("states", "s", lambda batch: [torch.full((len(s), 2), float(len(s))) for s in batch]), words
    )
    rows = resident({"states": store}, torch.device("cpu")).gather(Chosen.of(torch.tensor([0]), None))
    assert rows.states_NLT is not None
    assert rows.states_mask_NL is not None
    assert rows.states_NLT[0].tolist() == [[2, 2], [2, 2], [0, 0]]
    assert rows.states_mask_NL[0].tolist() == [True, True, False]


def test_pictures_of_a_batch_are_those_of_its_sentences() -> None:
    images = [Image.new("RGB", (8, 6), (20 * i, 0, 0)) for i in range(3)]
    captioned = corpus("a", "b", "c", "d", image_of=[0, 2, 2, 1], images=images)
    pixels = pixel_store(captioned, 4)
    assert pixels.shape == (3, 3, 4, 4)
    assert pixels[2, 0].unique().tolist() == [40]
    assert np.array_equal(pixels.numpy(), to_pixels(images, 4))
    store = feature_store(
        Ask("image", "i", lambda batch: torch.tensor([[float(im.getpixel((0, 0))[0])] for im in batch])), captioned
    )
    bank = TeacherBank({"clip": resident({"image": store}, torch.device("cpu"))}, {})
    image_of = torch.tensor([0, 2, 2, 1])
    rows_N = torch.tensor([3, 1])
    assert bank.gather(rows_N, image_of[rows_N])["clip"].image_NE.tolist() == [[20.0], [40.0]]  # type: ignore[union-attr]


def test_teachers_made_of_others_come_after_them() -> None:
    assert combining_order({"all": ["two", "c"], "two": ["a", "b"]}) == ["two", "all"]
    with pytest.raises(ValueError, match="each other"):
        combining_order({"a": ["b"], "b": ["a"]})


def _build(folder: Path) -> None:
    with (folder.parent / "built.log").open("a") as log:
        log.write("x")
    (folder / "meta.json").write_text("{}")


def _build_shared(folder: Path) -> None:
    build_once(folder / "store", _build)


def test_many_processes_build_a_store_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_build_shared, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "built.log").read_text() == "x"


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "store", broken)
    assert [path.name for path in tmp_path.iterdir()] == ["store.lock"]


def test_rows_that_exist_already_are_asked_with_the_whole_corpus() -> None:
    captions = corpus("a", "b", "c", image_of=[0, 0, 1])  # no pictures: only a teacher's rows of them
    asked: list[tuple[Corpus, str]] = []

    def whole(given: Corpus, side: str) -> torch.Tensor:
        asked.append((given, side))
        return torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)

    def never(inputs: object) -> None:
        raise AssertionError(inputs)

    store = feature_store(Ask("image", "stored", never, whole), captions)
    assert store.rows.whole().tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert store.rows.whole().dtype == np.float32
    assert len(feature_store(Ask("image", "stored", never, whole), captions).rows) == 2
    assert asked == [(captions, "image")]
    with pytest.raises(DataError, match="not finite"):
        feature_store(Ask("text", "nan", never, lambda given, side: torch.tensor([[float("nan")]])), captions)
