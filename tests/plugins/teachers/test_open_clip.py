"""A real CLIP of open_clip with random weights: both towers, local files, pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from photos import fault_of
from PIL import Image
from tiny_models import malicious_pickle, open_clip_config

from dalr_bench import SuiteError
from dalr_bench_plugins.teachers.open_clip import OpenClip

TEXT = ["a red ball", "two dogs on the grass in the sun", "a cat"]


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"model": "tiny-clip", "config": str(open_clip_config(tmp_path))}


@pytest.fixture
def images() -> list[Image.Image]:
    return [Image.effect_noise((40, 30 + 8 * n), 80).convert("RGB") for n in range(5)]


def weights_of(teacher: OpenClip) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous().clone() for name, tensor in teacher._model().model.state_dict().items()}


def test_both_towers_keep_order_whatever_the_batches(options: dict[str, Any], images: list[Image.Image]) -> None:
    teacher = OpenClip(**options, batch=2)
    text, rows = teacher.encode_text(TEXT), teacher.encode_image(images)
    assert (text.shape, rows.shape) == ((3, 20), (5, 20))
    assert (text.dtype, rows.dtype) == (torch.float32, torch.float32)
    one = OpenClip(**options, batch=1)
    torch.testing.assert_close(one.encode_text(TEXT[::-1]).flip(0), text, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.encode_image(images[::-1]).flip(0), rows, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(rows[0], rows[1])


def test_a_folder_is_known_by_all_of_its_files(tmp_path: Path) -> None:
    """How pictures are scaled stands beside the weights, and rows of another scale are other rows."""
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"weights")
    config = tmp_path / "open_clip_config.json"
    names = []
    for mean in (0.4, 0.5):
        config.write_text(f'{{"preprocess_cfg": {{"mean": [{mean}, {mean}, {mean}]}}}}')
        names.append(OpenClip(model=f"local-dir:{tmp_path}").fingerprint)
    (tmp_path / "README.md").write_text("about it")
    names.append(OpenClip(model=f"local-dir:{tmp_path}").fingerprint)
    assert names[0] != names[1] == names[2]


def test_rows_are_open_clips_own(options: dict[str, Any], images: list[Image.Image], tmp_path: Path) -> None:
    import open_clip
    from safetensors.torch import save_file

    random = OpenClip(**options, seed=4)
    save_file(weights_of(random), tmp_path / "weights.safetensors")
    model, _, transform = open_clip.create_model_and_transforms(
        "tiny-clip", pretrained=str(tmp_path / "weights.safetensors")
    )
    with torch.no_grad():
        text = model.eval().encode_text(open_clip.get_tokenizer("tiny-clip")(TEXT))
        rows = model.encode_image(torch.stack([transform(image) for image in images]))
    local = OpenClip(**options, weights=str(tmp_path / "weights.safetensors"), seed=9)
    for teacher in (random, local):
        torch.testing.assert_close(teacher.encode_text(TEXT), text, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(teacher.encode_image(images), rows, atol=1e-6, rtol=1e-6)
    unit = OpenClip(**options, seed=4, normalize=True).encode_text(TEXT)
    torch.testing.assert_close(unit, text / text.norm(dim=-1, keepdim=True))


def test_a_real_siglip_architecture(tmp_path: Path, images: list[Image.Image]) -> None:
    import json

    vision: dict[str, Any] = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "map", "image_size": 224}
    text: dict[str, Any] = {"context_length": 16, "vocab_size": 49408, "width": 192, "heads": 3, "layers": 2}
    vision |= {"timm_proj": "none", "timm_model_pretrained": False}
    text |= {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}
    path = tmp_path / "tiny-sigmoid.json"
    config = {"embed_dim": 192, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision, "text_cfg": text}
    path.write_text(json.dumps(config))
    teacher = OpenClip("tiny-sigmoid", config=str(path))
    assert teacher.encode_text(TEXT).shape == (3, 192)
    assert teacher.encode_image(images[:2]).shape == (2, 192)


def test_one_copy_for_both_sides_and_all_teachers(options: dict[str, Any]) -> None:
    first, second, other = OpenClip(**options), OpenClip(**options, batch=7), OpenClip(**options, seed=1)
    assert first._model() is second._model()
    assert first._model() is not other._model()
    assert first.fingerprint == second.fingerprint
    assert len({first.fingerprint, other.fingerprint, OpenClip(**options, normalize=True).fingerprint}) == 3


def test_random_weights_leave_the_global_random_state_alone(options: dict[str, Any]) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    OpenClip(**options, seed=3).encode_text(TEXT)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pth"])
def test_malicious_pickles_are_refused(suffix: str, options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    malicious_pickle(path, tmp_path / "ran")
    said = fault_of(lambda: OpenClip(**options, weights=str(path)))
    assert said.startswith(f"{path}: this is a pickle, which can run code when opened")
    said = fault_of(lambda: OpenClip(**options, weights=str(path), allow_pickle=True).encode_text(TEXT))
    assert said == f"{path}: this pickle holds more than weights: it is not opened"
    assert not (tmp_path / "ran").exists()


def test_allowed_pickle_of_weights(options: dict[str, Any], tmp_path: Path) -> None:
    random = OpenClip(**options, seed=2)
    torch.save(weights_of(random), tmp_path / "w.pt")
    read = OpenClip(**options, weights=str(tmp_path / "w.pt"), allow_pickle=True)
    torch.testing.assert_close(read.encode_text(TEXT), random.encode_text(TEXT))


def test_faults(options: dict[str, Any], tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    cases = [
        ({"model": "ViT-B-33"}, "open_clip has no model 'ViT-B-33'. Did you mean 'ViT-B-32'?"),
        ({"model": "ViT-B-32", "pretrained": "opnai"}, "opnai: neither a file nor a tag of ViT-B-32. Did you mean"),
        ({"model": "ViT-B-32", "pretrained": "openai"}, "openai: could not be fetched: run `dalr-bench prefetch"),
        ({"model": f"local-dir:{tmp_path}/no"}, f"{tmp_path}/no: no open_clip model here"),
        ({**options, "model": "other"}, "an architecture is used under its file's name: write `model: tiny-clip`"),
        ({**options, "config": f"{tmp_path}/no.json"}, f"{tmp_path}/no.json: no such file"),
        ({**options, "weights": str(cut)}, f"{cut}: the weights file is cut or damaged"),
    ]
    for given, said in cases:
        assert said in fault_of(lambda given=given: OpenClip(**given).encode_text(TEXT))  # type: ignore[misc]


def test_a_tag_or_a_file_but_not_both(options: dict[str, Any]) -> None:
    with pytest.raises(SuiteError, match="not both"):
        OpenClip(**options, pretrained="openai", weights="w.safetensors")
