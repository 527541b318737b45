"""Real CLIP and SigLIP architectures, random weights, as teachers of a suite: through open_clip and transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import clip_folder, malicious_pickle, open_clip_config

from dalr_bench.cli.main import main

SUITE = """\
suite: towers
base:
  backbone: {{name: hf, layers: 1, hidden: 8, heads: 2, feed_forward: 8}}
  streams: {{pairs: {{name: scenes, scenes: 6, captions: 2}}}}
  teachers: {{eye: {base}}}
  losses: {{grounding: {{name: image_grounding, image: eye, text: eye, dim: 4}}}}
  train: {{steps: 2, batch: 4}}
  evaluate:
    - {{name: retrieval, scenes: {{scenes: 4, captions: 2}}}}
    - {{name: misalignment, teacher: eye, scenes: {{scenes: 4}}, pairs: 10}}
ablate:
{variants}
"""


def sigmoid_config(folder: Path) -> Path:
    """SigLIP's form in open_clip: a timm tower with attention pooling, a text tower without a causal mask, a bias."""
    vision: dict[str, Any] = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "map", "timm_proj": "none"}
    vision |= {"image_size": 224, "timm_model_pretrained": False}
    text: dict[str, Any] = {"context_length": 8, "vocab_size": 49408, "width": 192, "heads": 3, "layers": 1}
    text |= {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}
    config = {"embed_dim": 192, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision, "text_cfg": text}
    path = folder / "tiny-sigmoid.json"
    path.write_text(json.dumps(config))
    return path


def run(tmp_path: Path, variants: dict[str, str]) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and records by variant. The first variant stands in the base."""
    (first, base), *others = variants.items()
    lines = [f"  {first}: {{}}", *(f"  {name}: {{teachers.eye: {teacher}}}" for name, teacher in others)]
    (tmp_path / "suite.yaml").write_text(SUITE.format(base=base, variants="\n".join(lines)))
    with pytest.raises(SystemExit) as left:
        main(["run", str(tmp_path / "suite.yaml"), "--results", str(tmp_path / "results"), "--executor", "inline"])
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("*/*/record.json")]
    return int(left.value.code or 0), {record["variant"]: record for record in records}


def test_clip_and_siglip_through_both_libraries(tmp_path: Path) -> None:
    open_clip_config(tmp_path)
    sigmoid_config(tmp_path)
    clip_folder(tmp_path / "hf-clip", "CLIP")
    clip_folder(tmp_path / "hf-siglip", "Siglip")
    code, found = run(
        tmp_path,
        {
            "open_clip CLIP": "{name: open_clip, model: tiny-clip, config: tiny-clip.json}",
            "open_clip SigLIP": "{name: open_clip, model: tiny-sigmoid, config: tiny-sigmoid.json}",
            "transformers CLIP": f"{{name: hf_clip, model: {tmp_path}/hf-clip}}",
            "transformers SigLIP": f"{{name: hf_clip, model: {tmp_path}/hf-siglip}}",
        },
    )
    assert code == 0
    assert len(found) == 4
    widths = {}
    for variant, record in found.items():
        assert record["status"] == "done", record["error"]
        scores = {score["task"]: score for score in record["scores"]}
        assert 0 <= scores["Retrieval"]["value"] <= 1
        assert "cosine of teacher eye" in scores["Misalignment"]["protocol"]
        dims = json.loads(next((tmp_path / "results").glob(f"*/{record['run_id']}/dims.json")).read_text())
        widths[variant] = (dims["text"]["eye"], dims["image"]["eye"])
    assert widths == {
        "open_clip CLIP": (20, 20),
        "open_clip SigLIP": (192, 192),
        "transformers CLIP": (24, 24),
        "transformers SigLIP": (32, 32),
    }


def test_local_weights_load_and_pickles_only_by_leave(tmp_path: Path) -> None:
    """A file of weights is the teacher; the same as a pickle is refused unless allowed, a malicious one always."""
    from safetensors.torch import save_file

    from dalr_bench_plugins.teachers.open_clip import OpenClip

    config = open_clip_config(tmp_path)
    teacher = OpenClip("tiny-clip", config=str(config), seed=3)
    weights = {name: tensor.contiguous().clone() for name, tensor in teacher._model().model.state_dict().items()}
    save_file(weights, tmp_path / "w.safetensors")
    torch.save(weights, tmp_path / "w.pt")
    malicious_pickle(tmp_path / "evil.pt", tmp_path / "ran")
    named = "name: open_clip, model: tiny-clip, config: tiny-clip.json"
    code, found = run(
        tmp_path,
        {
            "drawn": f"{{{named}, seed: 3}}",
            "safe": f"{{{named}, pretrained: {tmp_path}/w.safetensors}}",
            "refused": f"{{{named}, pretrained: {tmp_path}/w.pt}}",
            "allowed": f"{{{named}, pretrained: {tmp_path}/w.pt, allow_pickle: true}}",
            "evil": f"{{{named}, pretrained: {tmp_path}/evil.pt, allow_pickle: true}}",
        },
    )
    assert code == 1  # some failed
    assert {name: record["status"] for name, record in found.items()} == {
        "drawn": "done",
        "safe": "done",
        "refused": "failed",
        "allowed": "done",
        "evil": "failed",
    }
    # The same weights by three ways make the same student, to the bit.
    assert found["safe"]["weights"] == found["drawn"]["weights"] == found["allowed"]["weights"]
    assert found["refused"]["error"].startswith(f"{tmp_path}/w.pt: this is a pickle, which can run code when opened")
    assert "allow_pickle: true" in found["refused"]["error"]
    assert found["evil"]["error"] == f"{tmp_path}/evil.pt: this pickle holds more than weights: it is not opened"
    assert {found[name]["exit_code"] for name in ("refused", "evil")} == {4}
    assert not (tmp_path / "ran").exists()


def test_a_refused_pickle_alone_is_exit_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = clip_folder(tmp_path / "clip", "CLIP")
    (folder / "model.safetensors").unlink()
    malicious_pickle(folder / "pytorch_model.bin", tmp_path / "ran")
    code, found = run(tmp_path, {"only": f"{{name: hf_clip, model: {folder}}}"})
    assert code == 4
    assert "pytorch_model.bin is a pickle, which can run code when opened" in found["only"]["error"]
    assert sum("is a pickle" in line for line in capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "ran").exists()
