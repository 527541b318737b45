"""Rows somebody computed before: every form, and counts that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photos import fault_of

from dalr_bench import Corpus
from dalr_bench_plugins.sources.kdmcse import KDMCSE
from dalr_bench_plugins.sources.mcse import MCSE
from dalr_bench_plugins.teachers.stored import StoredRows

TEXT = np.arange(12, dtype=np.float32).reshape(4, 3)
IMAGE = np.arange(10, dtype=np.float64).reshape(2, 5)
CORPUS = Corpus(["a", "b", "c", "d"], "x", image_of=[0, 0, 1, 1])


@pytest.fixture(params=["rows.npz", "rows.safetensors"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    if path.suffix == ".npz":
        np.savez(path, text=TEXT, image=IMAGE)
    else:
        from safetensors.numpy import save_file

        save_file({"text": TEXT, "image": IMAGE}, path)
    return path


def test_rows_by_the_corpus(path: Path) -> None:
    teacher = StoredRows(str(path))
    assert torch.equal(teacher.stored_rows(CORPUS, "text"), torch.from_numpy(TEXT))
    assert torch.equal(teacher.stored_rows(CORPUS, "image"), torch.from_numpy(IMAGE).float())
    assert torch.equal(teacher.encode_text(list(CORPUS.sentences)), torch.from_numpy(TEXT))


def test_counts_must_agree_unless_the_first_are_wanted(path: Path) -> None:
    short = Corpus(["a", "b", "c"], "y", image_of=[0, 0, 0])
    said = fault_of(lambda: StoredRows(str(path)).stored_rows(short, "text"))
    assert said.startswith(f"{path}: 4 text rows for 3 sentences: not the rows of this corpus")
    assert "2 image rows for 1 photo:" in fault_of(lambda: StoredRows(str(path)).stored_rows(short, "image"))
    first = StoredRows(str(path), rows="first")
    assert torch.equal(first.stored_rows(short, "text"), torch.from_numpy(TEXT[:3]))
    long = Corpus(["a"] * 5, "z")
    assert "4 text rows for 5 sentences" in fault_of(lambda: first.stored_rows(long, "text"))


def test_names_and_fingerprint(path: Path) -> None:
    swapped = StoredRows(str(path), text="image")
    assert torch.equal(swapped.encode_text(["a", "b"]), torch.from_numpy(IMAGE).float())
    assert swapped.fingerprint != StoredRows(str(path)).fingerprint == StoredRows(str(path), rows="first").fingerprint
    assert "it holds no array 'txt'. Did you mean 'text'?" in fault_of(
        lambda: StoredRows(str(path), text="txt").encode_text(["a"])
    )


def test_mcse_features(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    with h5py.File(tmp_path / "f.hdf5", "w") as file:
        file["features"] = IMAGE
    (tmp_path / "c.txt").write_text("one\ntwo\n")
    corpus = MCSE(str(tmp_path / "c.txt"), str(tmp_path / "f.hdf5")).load()
    teacher = StoredRows(str(tmp_path / "f.hdf5"))
    assert torch.equal(teacher.stored_rows(corpus, "image"), torch.from_numpy(IMAGE).float())
    assert "no text side (`text` and `image` name its arrays)" in fault_of(lambda: teacher.stored_rows(corpus, "text"))


def write_kdmcse(path: Path, spoil: Any = None) -> dict[str, Any]:
    document = {
        f"key{n}": {
            "image": f"{n}.jpg",
            "captions": [f"caption {n} {c}" for c in range(1 + n)],
            "image_feat": [n + 0.5, n + 0.25],
            "lang_feat": [[n, c, 7.0] for c in range(1 + n)],
        }
        for n in range(3)
    }
    document |= {"key1": spoil} if spoil is not None else {}
    path.write_text(json.dumps(document, indent=1))
    return document


def test_kdmcse_features_go_with_their_captions(tmp_path: Path) -> None:
    path = tmp_path / "flickr30k_ViT_L14.json"
    document = write_kdmcse(path)
    corpus, teacher = KDMCSE(str(path)).load(), StoredRows(str(path))
    text, image = teacher.stored_rows(corpus, "text"), teacher.stored_rows(corpus, "image")
    place = 0
    for number, value in enumerate(document.values()):
        assert image[number].tolist() == value["image_feat"]
        for caption, row in zip(value["captions"], value["lang_feat"], strict=True):
            assert corpus.sentences[place] == caption
            assert text[place].tolist() == row
            place += 1
    assert place == len(corpus.sentences) == 6


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"image_feat": [1.0, 2.0]}, "entry 'key1' has no numbers in 'lang_feat'"),
        ({"lang_feat": [["x"]]}, "entry 'key1' has no numbers in 'lang_feat'"),
        ({"lang_feat": [[1.0, 2.0]]}, "entry 'key1' has 2 numbers a row, the first has 3"),
        (7, "entry 'key1' has no numbers in 'lang_feat'"),
    ],
)
def test_json_faults_have_lines(spoil: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_kdmcse(path, spoil)
    line = 1 + next(n for n, text in enumerate(path.read_text().splitlines()) if '"key1"' in text)
    assert fault_of(lambda: StoredRows(str(path)).encode_text(["a"] * 6)) == f"{path}:{line}: {said}"


def test_missing_cut_empty_and_pickled(tmp_path: Path) -> None:
    assert fault_of(lambda: StoredRows(str(tmp_path / "no.npz"))) == f"{tmp_path}/no.npz: no such file"
    (tmp_path / "a.json").write_text("{}")
    assert fault_of(lambda: StoredRows(str(tmp_path / "a.json")).encode_text([])).startswith(f"{tmp_path}/a.json:1: ")
    np.savez(tmp_path / "p.npz", text=np.array([{"a": 1}], dtype=object))
    assert "pickled objects" in fault_of(lambda: StoredRows(str(tmp_path / "p.npz")).encode_text(["a"]))
    torch.save({"text": torch.zeros(1, 1)}, tmp_path / "w.pt")
    assert "not a file of a known form" in fault_of(lambda: StoredRows(str(tmp_path / "w.pt")).encode_text(["a"]))
