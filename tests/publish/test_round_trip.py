"""A student published as a sentence-transformers folder comes back as a teacher and as a backbone, with the rows it had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tiny_models import SENTENCES, WORDS

from dalr_bench import TokenBatch
from dalr_bench.plugin.manager import load
from dalr_bench.types import Part


def embedded(student: torch.nn.Module) -> torch.Tensor:
    tokenizer = student.tokenizer
    ids = [list(row) for row in tokenizer(SENTENCES)]
    width = max(map(len, ids))
    padded = torch.tensor([row + [tokenizer.pad_id] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    with torch.inference_mode():
        rows: torch.Tensor = student.embed(TokenBatch(padded, mask))
    return rows


def test_a_students_folder_is_a_teacher_and_a_backbone(tmp_path: Path) -> None:
    catalogue = load(frozenset({"backbone", "teacher"})).catalogue
    torch.manual_seed(0)
    shape = {"layers": 1, "hidden": 16, "heads": 2, "feed_forward": 16, "head": "none", "pooling": "mean"}
    student = catalogue.build("backbone", Part("hf", shape), vocabulary=WORDS, sentences=[], device="cpu").eval()
    rows = embedded(student)
    folder = str(tmp_path / "published")
    student.save(folder)
    teacher = catalogue.build("teacher", Part("sentence_transformer", {"model": folder}), device="cpu")
    assert np.allclose(teacher.encode_text(SENTENCES), rows, atol=1e-5)
    again = catalogue.build("backbone", Part("pretrained", {"model": folder}), device="cpu").eval()
    assert torch.allclose(embedded(again), rows, atol=1e-5)
    # and it goes on learning as a student
    again.train()
    ids = torch.tensor(again.tokenizer(["a dog runs"]))
    encoding = again.encode(TokenBatch(ids, torch.ones_like(ids)), views=2, states=False)
    torch.autograd.backward(encoding.projected_NVD.square().sum())
    assert any(parameter.grad is not None for parameter in again.parameters())
