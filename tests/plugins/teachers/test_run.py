"""A teacher that is another run: what it asks of it, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from PIL import Image

from dalr_bench import Part, SuiteError
from dalr_bench.plugin.manager import load
from dalr_bench_plugins.teachers.run import TrainedRunTeacher


class Finished:
    """A trained run whose rows say what they were made of: variant length, seed, and the sentence."""

    def __init__(self, variant: str, seed: int | None) -> None:
        self.key = (len(variant), -1 if seed is None else seed)
        self.fingerprint = f"weights of {variant} {seed}"

    def encode_text(self, sentences: Sequence[str], space: str | None = None) -> torch.Tensor:
        return torch.tensor([[*map(float, self.key), float(len(text)), float(space is not None)] for text in sentences])

    def encode_image(self, images: Sequence[Image.Image], space: str) -> torch.Tensor:
        return torch.tensor([[float(image.width), float(len(space))] for image in images])

    def encode_states(self, sentences: Sequence[str]) -> list[torch.Tensor]:
        return [torch.full((len(text), 2), float(self.key[1])) for text in sentences]


def test_token_states_are_one_table_a_sentence() -> None:
    first, second = TrainedRunTeacher("simcse", 3, trained=Finished).encode_states(["ab", "a"])
    assert first.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert second.shape == (1, 2)


def test_rows_come_from_that_variant_and_seed() -> None:
    teacher = TrainedRunTeacher("simcse", 3, trained=Finished)
    assert teacher.encode_text(["a", "abc"]).tolist() == [[6.0, 3.0, 1.0, 0.0], [6.0, 3.0, 3.0, 0.0]]
    own_seed = TrainedRunTeacher("diff", trained=Finished)
    assert own_seed.encode_text(["ab"]).tolist() == [[4.0, -1.0, 2.0, 0.0]]


def test_joint_space_has_both_sides() -> None:
    teacher = TrainedRunTeacher("clip", space="grounding", trained=Finished)
    assert teacher.encode_text(["a"]).tolist() == [[4.0, -1.0, 1.0, 1.0]]
    assert teacher.encode_image([Image.new("RGB", (7, 3))]).tolist() == [[7.0, 9.0]]


def test_pictures_need_a_space() -> None:
    with pytest.raises(SuiteError, match="name one of its losses in `space`"):
        TrainedRunTeacher("simcse", trained=Finished).encode_image([])


def test_fingerprint_is_the_runs_with_the_space() -> None:
    made: list[Any] = [("a", None, None), ("a", 1, None), ("a", 1, "x"), ("b", 1, "x")]
    assert len({TrainedRunTeacher(*given, trained=Finished).fingerprint for given in made}) == 4


def test_the_plan_sees_which_variant_it_needs() -> None:
    from dalr_bench.plugin.registry import references

    catalogue = load(frozenset({"teacher"})).catalogue
    found = references(catalogue.get("teacher", "run"), {"variant": "simcse", "seed": None})
    assert [(option, ref.section, name) for option, ref, name in found] == [("variant", "variants", "simcse")]
    teacher = catalogue.build("teacher", Part("run", {"variant": "simcse"}), trained=Finished, device="cpu")
    assert teacher.fingerprint == "weights of simcse None|None"
