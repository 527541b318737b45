"""One pass: every distinct sentence once, no padding, rows as if encoded alone, and nothing else changed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dalr_bench import TokenBatch, TrainingError
from dalr_bench.evaluate.encoder import EncodeOptions, OnePass, Pace
from dalr_bench.types import Encoding


class Letters:
    """A token a letter; counts what it was asked."""

    pad_id, mask_id, special_ids, size = 0, None, frozenset({0}), 128
    fingerprint = "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        self.asked += sentences
        return [[ord(letter) for letter in sentence] for sentence in sentences]


class Student(torch.nn.Module):
    """Mean of embeddings with dropout, and a draw from every generator: evaluation must leave no trace of either."""

    dim = 8

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokenizer = Letters()
        self.table = torch.nn.Embedding(128, self.dim)
        self.drop = torch.nn.Dropout(0.5)
        self.frozen = torch.nn.BatchNorm1d(self.dim).eval()
        self.batches: list[tuple[int, int, int]] = []

    def embed(self, tokens: TokenBatch) -> torch.Tensor:
        torch.rand(3), np.random.rand(), random.random()
        self.batches.append((*tokens.ids_NL.shape, int(tokens.mask_NL.sum())))
        mask = tokens.mask_NL[..., None].float()
        return self.frozen(self.drop((self.table(tokens.ids_NL) * mask).sum(1) / mask.sum(1).clamp_min(1)))

    def encode(self, tokens: TokenBatch, views: int, states: bool) -> Encoding:
        raise NotImplementedError

    def protocol(self) -> Mapping[str, Any]:
        return {"pooling": "mean"}

    def save(self, folder: str) -> None:
        raise NotImplementedError


SENTENCES = ["abc", "de", "abc", "f", "ghij", "kl", "m", "nop", "de"]


def alone(student: Student, sentence: str) -> np.ndarray[Any, Any]:
    """The definition: the mean of the letters' rows (BatchNorm at its start divides by the root of 1 + eps)."""
    with torch.no_grad():
        rows = [student.table.weight[ord(letter)] for letter in sentence]
        mean = sum(rows) / len(rows) if rows else torch.zeros(Student.dim)
        return (mean / (1 + student.frozen.eps) ** 0.5).numpy()


def test_rows_are_those_of_each_sentence_alone_in_the_asked_order() -> None:
    student = Student().train()
    rows = OnePass(student).encode(SENTENCES)
    assert rows.shape == (9, 8)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [alone(student, text) for text in SENTENCES], rtol=1e-5, atol=1e-7)


def test_each_distinct_sentence_is_tokenised_and_encoded_once() -> None:
    student = Student()
    subject = OnePass(student)
    subject.declare(SENTENCES[:4])
    subject.declare(SENTENCES[4:])
    first = subject.encode(["abc", "kl"])
    again = subject.encode(["kl", "abc"])
    assert sorted(student.tokenizer.asked) == sorted(set(SENTENCES))
    assert sum(count for count, _, _ in student.batches) == len(set(SENTENCES))
    np.testing.assert_array_equal(first, again[::-1])
    late = subject.encode(["zz", "abc"])
    assert student.tokenizer.asked[-1] == "zz"
    np.testing.assert_array_equal(late[1], first[0])


def test_batches_hold_no_padding_and_keep_the_budget() -> None:
    student = Student()
    OnePass(student, options=EncodeOptions(budget=4)).encode(SENTENCES)
    assert all(count * length == real for count, length, real in student.batches)
    assert all(count * length <= 4 or count == 1 for count, length, _ in student.batches)
    assert sum(real for *_, real in student.batches) == sum(map(len, set(SENTENCES)))


class Packing(Student):
    """Offers both ways, and writes down what it was given packed."""

    packs = True

    def __init__(self) -> None:
        super().__init__()
        self.packed: list[list[int]] = []

    def embed_packed(self, ids_T: torch.Tensor, lengths_N: Sequence[int]) -> torch.Tensor:
        self.packed.append(list(lengths_N))
        assert len(ids_T) == sum(lengths_N)
        rows = [ids[None] for ids in ids_T.split(list(lengths_N))]
        return torch.cat([self.embed(TokenBatch(row, torch.ones_like(row))) for row in rows])


def test_a_backbone_that_packs_gets_several_lengths_at_once_within_the_budget() -> None:
    student = Packing()
    texts = [*SENTENCES, "", "a long one alone"]
    rows = OnePass(student, options=EncodeOptions(budget=5)).encode(texts)
    np.testing.assert_allclose(rows, [alone(student, text) for text in texts], rtol=1e-5, atol=1e-7)
    assert student.packed == [[1, 1, 2], [2, 3], [3], [4], [16]]


def test_a_backbone_that_packs_but_not_now_gets_rectangles() -> None:
    student = Packing()
    student.packs = False
    rows = OnePass(student).encode(SENTENCES)
    np.testing.assert_allclose(rows, [alone(student, text) for text in SENTENCES], rtol=1e-5, atol=1e-7)
    assert student.packed == []


def test_a_sentence_without_tokens_gets_a_row() -> None:
    rows = OnePass(Student()).encode(["", "a"])
    np.testing.assert_array_equal(rows[0], np.zeros(8))
    assert np.abs(rows[1]).sum() > 0


def test_looking_changes_nothing() -> None:
    student = Student().train()
    student.frozen.eval()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    flags = [module.training for module in student.modules()]
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = torch.rand(4), np.random.rand(4), [random.random() for _ in range(4)]
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    OnePass(student).encode(SENTENCES)
    assert torch.equal(torch.rand(4), expected[0])
    np.testing.assert_array_equal(np.random.rand(4), expected[1])
    assert [random.random() for _ in range(4)] == expected[2]
    assert [module.training for module in student.modules()] == flags
    assert flags[0]
    assert not flags[-1]
    for name, value in student.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_second_checkpoint_pays_no_tokenizing(tmp_path: Path) -> None:
    first, second = Student(), Student()
    rows = OnePass(first, options=EncodeOptions(cache=tmp_path)).encode(SENTENCES)
    again = OnePass(second, options=EncodeOptions(cache=tmp_path)).encode(SENTENCES)
    assert first.tokenizer.asked
    assert not second.tokenizer.asked
    np.testing.assert_array_equal(rows, again)


def test_progress_ends_with_everything_done() -> None:
    seen: list[Pace] = []
    OnePass(Student(), options=EncodeOptions(budget=4, progress=seen.append)).encode(SENTENCES)
    assert len(seen) > 2
    assert (seen[-1].sentences, seen[-1].tokens) == (seen[-1].total_sentences, seen[-1].total_tokens) == (7, 16)
    assert seen[-1].seconds_left == 0
    assert seen[0].seconds_left > 0
    assert seen[0].tokens_per_second > 0


def test_the_protocol_states_precision_and_device_and_bf16_really_differs() -> None:
    student = Student()
    student.drop = torch.nn.Linear(8, 8)  # type: ignore[assignment]  # autocast reaches linear layers only
    exact = OnePass(student)
    rough = OnePass(student, options=EncodeOptions(precision="bf16"))
    assert exact.protocol == {"pooling": "mean", "precision": "fp32", "device": "cpu", "torch": torch.__version__}
    assert rough.protocol["precision"] == "bf16"
    difference = np.abs(exact.encode(SENTENCES) - rough.encode(SENTENCES)).max()
    assert 1e-5 < difference < 0.05


def test_rows_that_are_not_finite_stop_the_scoring() -> None:
    student = Student()
    with torch.no_grad():
        student.table.weight[ord("a")] = float("nan")
    with pytest.raises(TrainingError, match="not finite") as caught:
        OnePass(student).encode(["abc"])
    assert caught.value.exit_code == 5
