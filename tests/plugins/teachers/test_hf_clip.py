"""Real CLIP and SigLIP architectures of transformers, small and with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from photos import fault_of
from PIL import Image
from tiny_models import SENTENCES, clip_folder, malicious_pickle, text_folder

from dalr_bench_plugins.teachers.hf_clip import HFClip

WIDTHS = {"CLIP": 24, "Siglip": 32}


@pytest.fixture(params=["CLIP", "Siglip"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def images() -> list[Image.Image]:
    return [Image.effect_noise((20, 18 + 2 * n), 80).convert("RGB") for n in range(5)]


def test_both_towers_keep_order_whatever_the_batches(family: str, tmp_path: Path, images: list[Image.Image]) -> None:
    folder = str(clip_folder(tmp_path, family))
    teacher, one = HFClip(folder, batch=3), HFClip(folder, batch=1)
    text, rows = teacher.encode_text(SENTENCES), teacher.encode_image(images)
    assert (text.shape, rows.shape) == ((len(SENTENCES), WIDTHS[family]), (5, WIDTHS[family]))
    assert (text.dtype, rows.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(one.encode_text(SENTENCES[::-1]).flip(0), text, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.encode_image(images[::-1]).flip(0), rows, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(text[0], text[1], atol=1e-4)
    unit = HFClip(folder, normalize=True).encode_image(images)
    torch.testing.assert_close(unit, rows / rows.norm(dim=-1, keepdim=True), atol=1e-5, rtol=1e-4)


def test_rows_are_those_the_models_own_logits_are_made_of(
    family: str, tmp_path: Path, images: list[Image.Image]
) -> None:
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    folder = str(clip_folder(tmp_path, family))
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    padding = {"padding": "max_length", "max_length": 16} if family == "Siglip" else {"padding": True}
    tokens = tokenizer(SENTENCES, **padding, return_tensors="pt")
    mask = {} if family == "Siglip" else {"attention_mask": tokens["attention_mask"]}
    pixels = AutoImageProcessor.from_pretrained(folder)(images=images, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        output = model(input_ids=tokens["input_ids"], pixel_values=pixels, **mask)
    teacher = HFClip(folder)
    for ours, theirs in (
        (teacher.encode_text(SENTENCES), output.text_embeds),
        (teacher.encode_image(images), output.image_embeds),
    ):
        unit = torch.nn.functional.normalize(ours, dim=-1)
        torch.testing.assert_close(unit, theirs, atol=1e-5, rtol=1e-4)


def test_one_copy_and_fingerprint(family: str, tmp_path: Path) -> None:
    folder = str(clip_folder(tmp_path, family))
    first, second = HFClip(folder), HFClip(folder, max_length=8)
    assert first._model() is second._model()
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint == HFClip(folder, batch=2).fingerprint


def test_long_sentences_are_cut(family: str, tmp_path: Path) -> None:
    teacher = HFClip(str(clip_folder(tmp_path, family)))
    long = " ".join(["dog"] * 60)
    torch.testing.assert_close(teacher.encode_text([long]), teacher.encode_text([" ".join(["dog"] * 14)]))


def test_faults(tmp_path: Path) -> None:
    assert "dalr-bench prefetch SUITE" in fault_of(lambda: HFClip("no-such/model"))
    bert = text_folder(tmp_path / "bert")
    (bert / "preprocessor_config.json").write_text('{"image_processor_type": "CLIPImageProcessor"}')
    assert "a bert model has not two towers" in fault_of(lambda: HFClip(str(bert)).encode_text(["a"]))
    clip = clip_folder(tmp_path / "clip", "CLIP")
    (clip / "model.safetensors").unlink()
    malicious_pickle(clip / "pytorch_model.bin", tmp_path / "ran")
    assert "pytorch_model.bin is a pickle" in fault_of(lambda: HFClip(str(clip)))
    assert not (tmp_path / "ran").exists()
